// The service worker of Raseed. Its address carries the version of the static files (?v=...), which names the cache of the
// shell. Pages are taken from the network. A page is kept for times without a network only when the server says so
// (Raseed-Offline: keep), which it does for a member's own balance and receipts; when it says "forget", or somebody signs
// out, all kept pages go. Payments, forms and everything but GET never pass through here.
"use strict";

const VERSION = new URL(self.location.href).searchParams.get("v") || "0";
const SHELL = "raseed-shell-" + VERSION;
const KEPT = "raseed-kept";
const OFFLINE = "/offline";
const KEPT_MAX = 40;
const NEVER = ["/pay", "/recharge", "/rails", "/session", "/code", "/sign-in", "/sign-up", "/staff", "/pos", "/v1", "/profile", "/stop", "/demo"];

self.addEventListener("install", (event) => {
  const fill = async () => {
    const cache = await caches.open(SHELL);
    await cache.add(new Request(OFFLINE, { cache: "reload" }));
    // What the page without a network needs is what it names.
    const page = await (await cache.match(OFFLINE)).text();
    const named = page.match(/\/static\/[A-Za-z0-9._-]+(\?v=[0-9a-f]+)?/g) || [];
    await cache.addAll([...new Set(named)]);
    await self.skipWaiting();
  };
  event.waitUntil(fill());
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("raseed-shell-") && name !== SHELL) await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("message", (event) => {
  if (event.data === "forget") event.waitUntil(caches.delete(KEPT));
});

self.addEventListener("fetch", (event) => {
  const request = event.request;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/static/")) {
    event.respondWith(fromShell(request));
  } else if (request.mode === "navigate") {
    event.respondWith(fromNetwork(event, request, url));
  }
});

async function fromShell(request) {
  const cache = await caches.open(SHELL);
  return (await cache.match(request)) || fetch(request);
}

const isPrivate = (path) => NEVER.some((start) => path === start || path.startsWith(start + "/"));

async function fromNetwork(event, request, url) {
  try {
    const response = await fetch(request);
    event.waitUntil(look(response.clone(), url));
    return response;
  } catch (error) {
    if (isPrivate(url.pathname)) return fallback();
    const cache = await caches.open(KEPT);
    const kept = await cache.match(url.pathname);
    return kept ? withTime(kept) : fallback();
  }
}

// Keeps or forgets, as the server says; and keeps the page without a network in the language that is spoken now.
async function look(response, url) {
  const word = response.headers.get("raseed-offline");
  if (word === "forget") {
    await caches.delete(KEPT);
  } else if (word === "keep" && response.ok && !response.redirected && !isPrivate(url.pathname)) {
    const cache = await caches.open(KEPT);
    const headers = new Headers(response.headers);
    headers.set("raseed-kept-at", String(Date.now()));
    await cache.put(url.pathname, new Response(await response.blob(), { status: 200, headers }));
    const keys = await cache.keys();
    for (const key of keys.slice(0, Math.max(0, keys.length - KEPT_MAX))) await cache.delete(key);
  }
  const language = response.headers.get("content-language");
  const shell = await caches.open(SHELL);
  const offline = await shell.match(OFFLINE);
  if (language && (!offline || offline.headers.get("content-language") !== language)) {
    await shell.add(new Request(OFFLINE, { cache: "reload" })).catch(() => {});
  }
}

// A kept page says when it was true.
async function withTime(kept) {
  const at = kept.headers.get("raseed-kept-at") || "0";
  const html = (await kept.text()).replace("<html ", '<html data-as-of="' + at + '" ');
  return new Response(html, { status: 200, headers: kept.headers });
}

async function fallback() {
  const cache = await caches.open(SHELL);
  return (await cache.match(OFFLINE)) || Response.error();
}

// Push messages carry {title, body, path, lang, dir, tag, stop, stop_title}; paths stay on our own site. One that comes twice
// has the same tag and is shown once. `stop` ends such messages in one step, without sign-in.
self.addEventListener("push", (event) => {
  let message = {};
  try { message = event.data ? event.data.json() : {}; } catch (error) { message = {}; }
  const text = (value, max) => (typeof value === "string" ? value.slice(0, max) : "");
  const options = { body: text(message.body, 400), icon: "/static/icon-192.png", badge: "/static/icon-192.png",
    lang: text(message.lang, 8), dir: message.dir === "rtl" ? "rtl" : "ltr", tag: text(message.tag, 64) || undefined,
    data: { path: text(message.path, 200), stop: text(message.stop, 200) } };
  if (options.data.stop) options.actions = [{ action: "stop", title: text(message.stop_title, 60) || "Stop" }];
  event.waitUntil(self.registration.showNotification(text(message.title, 100) || "Raseed", options));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const data = event.notification.data || {};
  if (event.action === "stop" && data.stop) {
    const stop = new URL(data.stop, self.location.origin);
    if (stop.origin !== self.location.origin || !stop.pathname.startsWith("/stop/")) return;
    const asked = { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "List-Unsubscribe=One-Click" };
    event.waitUntil(fetch(stop.pathname, asked).then(() => self.clients.openWindow(stop.pathname)));
    return;
  }
  const to = new URL(data.path || "/", self.location.origin);
  event.waitUntil(self.clients.openWindow(to.origin === self.location.origin ? to.pathname : "/"));
});
