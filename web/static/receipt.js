// Receipts: printing, and reading a QR code with the camera or from a picture. Nothing leaves the browser but the text
// that was read, and that goes to the form.
"use strict";

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

const scan = document.getElementById("scan");
if (scan && "BarcodeDetector" in window) {
  start(scan).catch(() => {});
}

async function start(scan) {
  const formats = await BarcodeDetector.getSupportedFormats();
  if (!formats.includes("qr_code")) return;
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  const form = document.getElementById("verify-form");
  const field = document.getElementById("r");
  const video = document.getElementById("scan-video");
  const nothing = document.getElementById("scan-nothing");
  const camera = document.getElementById("scan-camera");
  const picture = document.getElementById("scan-picture");

  // True when the picture holds a code: its text goes to the form, which asks the server.
  async function read(source) {
    const found = await detector.detect(source).catch(() => []);
    if (found.length === 0) return false;
    field.value = found[0].rawValue.slice(0, 4000);
    form.requestSubmit();
    return true;
  }

  picture.addEventListener("change", async () => {
    nothing.hidden = true;
    const file = picture.files[0];
    if (!file) return;
    const bitmap = await createImageBitmap(file).catch(() => null);
    nothing.hidden = bitmap !== null && await read(bitmap);
  });

  if (navigator.mediaDevices && navigator.mediaDevices.getUserMedia) {
    camera.addEventListener("click", async () => {
      nothing.hidden = true;
      let stream;
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      } catch {
        nothing.hidden = false;
        return;
      }
      camera.disabled = true;
      video.srcObject = stream;
      video.hidden = false;
      await video.play();
      const end = () => stream.getTracks().forEach((track) => track.stop());
      window.addEventListener("pagehide", end);
      const look = async () => {
        if (await read(video)) end();
        else setTimeout(look, 200);
      };
      look();
    });
  } else {
    camera.hidden = true;
  }
  scan.hidden = false;
}
