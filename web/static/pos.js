// The point of sale on a bad line: a sale is sent again, with the id of its form, until there is an answer. The server makes
// it once. Everything works without this script too: the same button sends the same id.
"use strict";
(() => {
  const tell = (key) => {
    // Looked up each time: an answer may bring a new one.
    const word = document.getElementById("till-word");
    if (!word) return;
    word.hidden = !key;
    word.textContent = key ? word.dataset[key] : "";
  };

  const form = document.querySelector("form[data-sells]");
  if (form) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form, new URLSearchParams(new FormData(form)), 0);
    });
  }

  async function send(form, body, round) {
    form.dataset.sent = "";
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    tell("asking");
    try {
      // Older browsers know no AbortSignal.timeout.
      const patience = new AbortController();
      setTimeout(() => patience.abort(), 25000);
      const { signal } = patience;
      const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" }, signal });
      if (answer.status >= 500) throw new Error("not known");
      if (answer.redirected) { location.replace(answer.url); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const main = page.getElementById("main");
      if (main) document.getElementById("main").replaceWith(main);
      const again = document.querySelector("form[data-sells]");
      if (again) again.addEventListener("submit", (event) => {
        event.preventDefault();
        send(again, new URLSearchParams(new FormData(again)), 0);
      });
    } catch (error) {
      tell(navigator.onLine ? "asking" : "away");
      const again = () => {
        clearTimeout(timer);
        removeEventListener("online", again);
        send(form, body, round + 1);
      };
      const timer = setTimeout(again, Math.min(1000 * 2 ** round, 15000));
      addEventListener("online", again);
    }
  }

  // A sale that has not ended is looked at again.
  if (document.querySelector("[data-asks]")) {
    const look = () => (navigator.onLine ? location.reload() : setTimeout(look, 2000));
    setTimeout(look, 2000);
  }

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
})();
