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
  const decide = async (decision) => {
    if (!token) { tell("nobody"); return; }
    const code = one("code") ? one("code").textContent : one("typed").value;
    try {
      const answer = await fetch("/v1/device/approve", {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify({ user_code: code, decision }),
      });
      tell(answer.ok ? decision : answer.status === 404 || answer.status === 400 ? "unknown" : "failed");
    } catch { tell("failed"); }
  };
  one("allow").addEventListener("click", () => decide("approve"));
  one("deny").addEventListener("click", () => decide("deny"));
})();
