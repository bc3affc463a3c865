// The touch screen: keys, what changes by itself, the question whether somebody is there, the printer.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const leave = byId("leave");

  // Keys on the screen write into the field. A scanner is a keyboard: it finds the field wherever the finger was.
  const pad = document.querySelector("[data-pad]");
  const field = pad && byId(pad.dataset.pad);
  if (field) {
    pad.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-key]");
      if (!button) return;
      const key = button.dataset.key;
      if (key === "clear") field.value = "";
      else if (key === "back") field.value = field.value.slice(0, -1);
      else if (field.value.length < field.maxLength) field.value += key;
    });
    document.addEventListener("keydown", (event) => {
      const typed = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.altKey && !event.metaKey;
      if (typed && document.activeElement !== field) field.focus();
    });
  }

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.defaultPrevented) return;
    setTimeout(() => { for (const button of document.querySelectorAll("button")) button.disabled = true; }, 0);
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // The slip is printed once, and again when somebody asks.
  const print = () => {
    const slip = document.querySelector("[data-print]");
    if (!slip || sessionStorage.getItem("printed") === slip.dataset.print) return;
    sessionStorage.setItem("printed", slip.dataset.print);
    window.print();
  };
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-again]")) window.print();
  });

  // The part of the page that changes by itself.
  const live = byId("live");
  if (live) {
    let shown = null;
    let settledAt = 0;
    const settled = () => {
      const result = live.querySelector("[data-open]");
      return result && result.dataset.open === "false";
    };
    const look = async () => {
      try {
        const answer = await fetch(live.dataset.poll, { headers: { "kiosk-part": "1" }, cache: "no-store" });
        if (answer.status === 205) { location.replace(live.dataset.next); return; }
        const text = answer.ok ? await answer.text() : shown;
        if (text !== shown) {
          const held = document.activeElement && live.contains(document.activeElement);
          live.innerHTML = text;
          shown = text;
          if (held) { const button = live.querySelector("button"); if (button) button.focus(); }
        }
      } catch (error) { /* The kiosk itself is being started again: the next look finds it. */ }
      if (live.dataset.result) {
        print();
        if (!settled()) settledAt = 0;
        else if (settledAt === 0) settledAt = Date.now();
        else if (Date.now() - settledAt > 1000 * Number(live.dataset.result)) { leave.requestSubmit(); return; }
      }
      setTimeout(look, 500);
    };
    document.addEventListener("pointerdown", () => { settledAt = 0; });
    document.addEventListener("keydown", () => { settledAt = 0; });
    look();
  }

  // Nobody there: ask, count down, begin anew.
  const idle = Number(document.body.dataset.idle);
  const there = byId("there");
  if (idle > 0 && there) {
    let since = Date.now();
    const alive = () => { since = Date.now(); };
    for (const kind of ["pointerdown", "keydown", "scroll"]) document.addEventListener(kind, alive, true);
    there.addEventListener("close", alive);
    setInterval(() => {
      const quiet = (Date.now() - since) / 1000;
      if (quiet < idle) return;
      if (!there.open) there.showModal();
      const left = Math.ceil(idle + 15 - quiet);
      byId("there-count").textContent = String(Math.max(left, 0));
      if (left <= 0) leave.submit();
    }, 500);
  } else if (document.body.dataset.idle === "0" && !live) {
    // The first page looks after itself: open or closed, with or without a line.
    setTimeout(() => location.reload(), 15000);
  }
})();
