/**
 * The site's service worker: keeps the files of one build, and answers from them, so that the page works offline.
 * `vite.config.ts` puts in the names of the files and the build's version.
 */

const CACHE = "rascanet-VERSION";
const FILES = "FILES";

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(["./", ...FILES]);
  await self.skipWaiting();
}

/** Files of earlier builds go. */
async function tidy() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith("rascanet-") && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  return kept ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(tidy()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(self.registration.scope)) event.respondWith(answer(event.request));
});
