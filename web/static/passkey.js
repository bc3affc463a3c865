// Passkeys: a form with data-passkey asks for a challenge, lets the device sign, and sends the answer.
"use strict";
(() => {
  if (!window.PublicKeyCredential) return;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const post = async (path, body) => {
    const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error("refused");
    return answer.json();
  };
  const make = async (form) => {
    const asked = await post("/security/passkey/begin", { form });
    const made = await navigator.credentials.create({ publicKey: {
      challenge: bytes(asked.challenge), rp: { id: asked.site, name: "Raseed" },
      user: { id: bytes(asked.user), name: asked.name, displayName: asked.name },
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -8 }],
      excludeCredentials: asked.exclude.map((id) => ({ type: "public-key", id: bytes(id) })),
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      attestation: "none",
    } });
    return post("/security/passkey", { form, client_data: text(made.response.clientDataJSON), attestation: text(made.response.attestationObject) });
  };
  const use = async (form, next) => {
    const asked = await post("/sign-in/passkey/begin", { form });
    const used = await navigator.credentials.get({ publicKey: { challenge: bytes(asked.challenge), rpId: asked.site, userVerification: "required" } });
    const told = used.response;
    return post("/sign-in/passkey", { form, next, id: text(used.rawId), client_data: text(told.clientDataJSON), authenticator_data: text(told.authenticatorData),
      signature: text(told.signature), user: told.userHandle ? text(told.userHandle) : "" });
  };
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
      const field = (name) => form.elements[name] ? form.elements[name].value : "";
      const wrong = form.querySelector(".error");
      wrong.hidden = true;
      try {
        const done = form.dataset.passkey === "make" ? await make(field("form")) : await use(field("form"), field("next"));
        location.assign(done.to);
      } catch (_) {
        wrong.hidden = false;
      }
    });
  }
})();
