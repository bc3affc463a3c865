// Push messages to this browser: asks for permission, subscribes with the installation's key, and tells the server where.
"use strict";
(() => {
  const form = document.querySelector("form[data-push-key]");
  if (!form || !navigator.serviceWorker || !window.PushManager || !window.Notification) return;
  form.hidden = false;
  const wrong = form.querySelector(".error");
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const bytes = (words) => Uint8Array.from(atob(words.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    wrong.hidden = true;
    try {
      if ((await Notification.requestPermission()) !== "granted") throw new Error("denied");
      const worker = await navigator.serviceWorker.ready;
      const key = bytes(form.dataset.pushKey);
      // A subscription for another key is of no use any more.
      const old = await worker.pushManager.getSubscription();
      const same = old && old.options.applicationServerKey && text(old.options.applicationServerKey) === form.dataset.pushKey;
      if (old && !same) await old.unsubscribe();
      const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
      const answer = await fetch("/profile/push", { method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ form: form.elements.form.value, endpoint: made.endpoint, p256dh: text(made.getKey("p256dh")), auth: text(made.getKey("auth")) }) });
      if (!answer.ok) throw new Error("refused");
      location.assign((await answer.json()).to);
    } catch (_) {
      wrong.hidden = false;
    }
  });
})();
