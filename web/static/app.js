// What the pages do beyond links and forms. Everything works without it, but less smoothly.
"use strict";
(() => {
  const script = document.currentScript;
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);

  // The service worker: the app's shell and, for a member, the last balance and receipts without a network.
  const worker = navigator.serviceWorker;
  if (worker && script) {
    worker.register("/sw.js?v=" + script.dataset.version).catch(() => {});
  }

  // Away: say so, and as of when this page is. A page from the store carries its time.
  const loadedAt = root.dataset.asOf ? new Date(Number(root.dataset.asOf)) : new Date();
  const away = byId("away");
  const tell = () => {
    const stored = root.dataset.asOf !== undefined;
    const off = stored || !navigator.onLine;
    if (!away) return;
    away.hidden = !off;
    const today = new Date().toDateString() === loadedAt.toDateString();
    const time = loadedAt.toTimeString().slice(0, 5);
    byId("as-of").textContent = today ? time : loadedAt.toISOString().slice(0, 10) + " " + time;
    for (const button of document.querySelectorAll("form[method=post]:not([data-sent]) button")) {
      button.disabled = off;
    }
  };
  window.addEventListener("online", () => {
    if (root.dataset.asOf !== undefined) location.reload();
    else tell();
  });
  window.addEventListener("offline", tell);
  tell();

  // Leaving takes what was kept with it, before the form goes.
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-leaves]") && worker && worker.controller) {
      worker.controller.postMessage("forget");
    }
  });

  // Installing, where the browser offers it.
  let offer = null;
  window.addEventListener("beforeinstallprompt", (event) => {
    const card = byId("install");
    if (!card) return;
    event.preventDefault();
    offer = event;
    card.hidden = false;
  });

  // A form that only carries the payer on to the payment page goes by itself.
  const carrier = document.querySelector("form[data-submits]");
  if (carrier) carrier.requestSubmit();

  const toast = (text) => {
    const place = byId("toast");
    place.textContent = text;
    setTimeout(() => { if (place.textContent === text) place.textContent = ""; }, 5000);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.opens) {
      const dialog = byId(button.dataset.opens);
      if (dialog && dialog.showModal) { dialog.showModal(); event.preventDefault(); }
    } else if (button.dataset.closes !== undefined) {
      const dialog = button.closest("dialog");
      if (dialog) { dialog.close(); event.preventDefault(); }
    } else if (button.dataset.install !== undefined && offer) {
      offer.prompt();
      byId("install").hidden = true;
      offer = null;
    } else if (button.dataset.copies !== undefined && navigator.clipboard) {
      navigator.clipboard.writeText(button.dataset.copies).then(() => toast(button.dataset.done || "\u2713"), () => {});
    }
  });

  // A form is sent once. The button is disabled after the event, so that its name and value still go along.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    setTimeout(() => {
      for (const button of form.querySelectorAll("button")) button.disabled = true;
    }, 0);
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const button of document.querySelectorAll("form button")) button.disabled = false;
    if (event.persisted) tell();
  });
})();
