import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const service = `http://127.0.0.1:${process.env.RASCANET_PORT ?? "8000"}`;

/** What the built page may do; the service's headers can only narrow it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const contentSecurityPolicy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: POLICY }, injectTo: "head-prepend" },
  ],
};

/** Documents that the page links to, as they stand, so that a page without a way to the outside has them too. */
const DOCUMENTS = { "model-card.txt": "../../MODEL_CARD.md", "protocol.txt": "../../PROTOCOL.md" };

const documents: Plugin = {
  name: "documents",
  apply: "build",
  generateBundle() {
    for (const [fileName, path] of Object.entries(DOCUMENTS)) {
      this.emitFile({ type: "asset", fileName, source: readFileSync(new URL(path, import.meta.url)) });
    }
  },
};

export default defineConfig({
  resolve: {
    // The package's sources: the page needs no build of it.
    alias: { "rascanet-stream": fileURLToPath(new URL("../javascript/src/index.ts", import.meta.url)) },
  },
  plugins: [contentSecurityPolicy, documents],
  worker: { format: "es" },
  build: {
    target: "es2022",
    // The page is served under a policy that allows neither inline scripts nor data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", proxy: { "/v1": { target: service, ws: true } } },
});
