// The position of the browser, when somebody presses the button, rounded to about a hundred metres; it goes to this site only.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const button = byId("here");
  const form = byId("find");
  if (!button || !form || !navigator.geolocation) return;
  byId("here-box").hidden = false;
  const failed = byId("here-failed");
  const set = (id, degrees) => {
    const field = byId(id);
    field.value = String(Math.round(degrees * 1000) * 1000);
    field.disabled = false;
  };
  button.addEventListener("click", () => {
    button.disabled = true;
    failed.hidden = true;
    navigator.geolocation.getCurrentPosition((position) => {
      set("lat", position.coords.latitude);
      set("lon", position.coords.longitude);
      byId("near").value = "";
      form.elements.namedItem("open").checked = true;
      form.requestSubmit();
    }, () => {
      button.disabled = false;
      failed.hidden = false;
    }, { maximumAge: 60000, timeout: 15000 });
  });
})();
