"use strict";
(() => {
  const given = JSON.parse(document.getElementById("given").textContent);
  const { sale, token, words } = given;
  const byId = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat(given.language);
  const show = (id, value) => { byId(id).textContent = number.format(value); };
  const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

  const post = async (path, body, key) => {
    const headers = { "Content-Type": "application/json", "Authorization": "Bearer " + token, "Idempotency-Key": key };
    for (let attempt = 0; ; attempt++) {
      // A lost answer is asked for again with the same key: that is what the key is for.
      const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => null);
      if (answer && answer.status !== 503) return { answer, json: await answer.json().catch(() => ({})) };
      if (attempt === 4) return { answer: null, json: { detail: words.paused_stream } };
      await new Promise((done) => setTimeout(done, 200 * 2 ** attempt));
    }
  };

  const line = (left, right, kind) => {
    const li = document.createElement("li");
    for (const [text, name] of [[left, "id"], [right, "state " + kind]]) {
      const span = document.createElement("span");
      span.textContent = text;
      span.className = name;
      li.append(span);
    }
    return li;
  };

  const mine = (text, state, kind) => {
    byId("none").hidden = true;
    const li = line(text, state, kind);
    byId("mine").prepend(li);
    while (byId("mine").children.length > 6) byId("mine").lastElementChild.remove();
    return li.lastElementChild;
  };

  const buy = async (button) => {
    button.disabled = true;
    const began = performance.now();
    const { answer, json } = await post("/v1/orders", { sale_id: sale, lines: [{ sku: button.dataset.sku, quantity: 1 }] }, newKey());
    button.disabled = false;
    if (!answer || !answer.ok) { mine(json.detail || "", json.code || "", "bad"); return; }
    const position = answer.headers.get("Tidegate-Position");
    if (position) byId("position").textContent = position.split(" ")[1];
    const took = (performance.now() - began).toFixed(1) + " ms";
    const state = mine(json.id, words.order_held + " · " + took, "held");
    const paid = await post("/v1/orders/" + json.id + "/pay", {}, newKey());
    follow(json.id, paid, state, took);
  };

  const follow = async (id, first, state, took) => {
    let order = first.json;
    for (let look = 0; look < 20 && order.state === "paying"; look++) {
      await new Promise((done) => setTimeout(done, 150));
      const answer = await fetch("/v1/orders/" + id, { headers: { "Authorization": "Bearer " + token } }).catch(() => null);
      if (answer && answer.ok) order = await answer.json();
    }
    state.textContent = (words["order_" + order.state] || order.code || "") + " · " + took;
    state.className = "state " + (order.state || "bad");
  };

  for (const button of document.querySelectorAll("button[data-sku]")) button.addEventListener("click", () => buy(button));

  byId("crowd").addEventListener("click", async () => {
    const button = byId("crowd");
    button.disabled = true;
    button.textContent = words.crowd_running;
    await post("/demo/crowd", {}, newKey());
    setTimeout(() => { button.disabled = false; button.textContent = words.crowd; }, 3500);
  });
  byId("refill").addEventListener("click", async () => {
    byId("refill").disabled = true;
    await post("/demo/refill", {}, newKey());
    byId("refill").disabled = false;
  });

  const rates = new Array(120).fill(0);
  const newest = { rate: 0, at: 0 };
  const spark = () => {
    // Ticks come fast only while something changes; silence for a second means that nothing was ordered.
    if (performance.now() - newest.at > 1200) newest.rate = 0;
    show("rate", newest.rate);
    rates.push(newest.rate);
    rates.shift();
    const most = Math.max(10, ...rates);
    const points = rates.map((value, place) => `${place},${(60 - 56 * value / most).toFixed(1)}`).join("L");
    byId("spark-line").setAttribute("d", "M" + points);
    byId("spark-area").setAttribute("d", `M0,60L${points}L119,60Z`);
  };

  const stock = (skus) => {
    for (const unit of skus) {
      const card = document.querySelector(`.sku[data-code="${CSS.escape(unit.sku)}"]`);
      if (!card) continue;
      const whole = Math.max(1, unit.sold + unit.held + unit.available);
      for (const [part, value] of [["sold", unit.sold], ["held", unit.held], ["free", unit.available]]) {
        card.querySelector(".bar ." + part).style.width = (100 * value / whole) + "%";
      }
      for (const part of ["available", "held", "sold"]) {
        for (const place of card.querySelectorAll(`[data-part="${part}"]`)) place.textContent = number.format(unit[part]);
      }
      card.querySelector("button").disabled = unit.available === 0;
    }
  };

  const refusals = (refused) => {
    const most = Math.max(1, ...Object.values(refused));
    for (const [reason, count] of Object.entries(refused)) {
      show("count-" + reason, count);
      byId("track-" + reason).style.width = (100 * count / most) + "%";
    }
  };

  const tick = (now) => {
    stock(now.skus);
    refusals(now.refused);
    newest.rate = now.orders_per_s;
    newest.at = performance.now();
    show("accepted", now.accepted);
    show("requests", now.requests_total);
    show("refused", Object.values(now.refused).reduce((sum, count) => sum + count, 0));
    const state = byId("state");
    state.textContent = words["state_" + now.state];
    state.className = "pill " + now.state;
    byId("recent").replaceChildren(...now.recent.slice(0, 8).map((order) =>
      line(order.id, order.units + " × " + words["order_" + order.state], order.state)));
  };

  stock(given.skus);
  setInterval(spark, 250);
  const stream = new EventSource("/v1/sales/" + sale + "/live?access_token=" + token);
  stream.addEventListener("tick", (event) => { byId("broken").hidden = true; tick(JSON.parse(event.data)); });
  stream.addEventListener("error", () => { byId("broken").hidden = false; });
})();
