"use strict";
// The shop's app opens this page with the buyer's token behind the #, which no server is sent, or has left it in this
// tab's storage.
(() => {
  const one = (id) => document.getElementById(id);
  const said = one("said");
  const hash = new URLSearchParams(location.hash.slice(1)).get("access_token");
  if (hash) {
    sessionStorage.setItem("tidegate_token", hash);
    history.replaceState(null, "", location.pathname + location.search);
  }
  const token = sessionStorage.getItem("tidegate_token");
  const tell = (word) => { said.textContent = said.dataset[word]; };
  if (!token) { tell("nobody"); }
  const code = () => (one("code") ? one("code").textContent : one("typed").value);
  const ask = (path, body) => fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  const failed = (answer) => tell(answer.status === 404 || answer.status === 400 ? "unknown" : "failed");
  let seen = null;
  // Nobody signs in a device without having been told what it calls itself.
  const look = async () => {
    const looked = code();
    try {
      const answer = await ask("/v1/device/look", { user_code: looked });
      if (!answer.ok) { failed(answer); return false; }
      const name = (await answer.json()).client_id;
      const device = one("device");
      device.textContent = name ? `${device.dataset.calls}: \u201c${name}\u201d` : device.dataset.nameless;
      seen = looked;
      return true;
    } catch { tell("failed"); return false; }
  };
  const decide = async (decision) => {
    if (!token) { tell("nobody"); return; }
    if (decision === "approve" && seen !== code()) {
      if (await look()) { tell("again"); }
      return;
    }
    try {
      const answer = await ask("/v1/device/approve", { user_code: code(), decision });
      if (answer.ok) { tell(decision); } else { failed(answer); }
    } catch { tell("failed"); }
  };
  if (token && one("code")) { look(); }
  one("allow").addEventListener("click", () => decide("approve"));
  one("deny").addEventListener("click", () => decide("deny"));
})();
