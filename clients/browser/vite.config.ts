import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import "../javascript/copy-files.js";

const service = `http://127.0.0.1:${process.env.RASCANET_PORT ?? "8000"}`;
const javascript = (path: string) => fileURLToPath(new URL(`../javascript/${path}`, import.meta.url));

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

/** Pictures for a page without a service: every file of a folder, and a list of them (`make site` fills the folder). */
const samples: Plugin = {
  name: "samples",
  apply: "build",
  generateBundle() {
    const folder = process.env.SITE_SAMPLES;
    const names = folder === undefined ? [] : readdirSync(folder).sort();
    for (const name of names) {
      this.emitFile({ type: "asset", fileName: `samples/${name}`, source: readFileSync(`${folder}/${name}`) });
    }
    const listed = names
      .filter((name) => /\.(jpe?g|png)$/.test(name))
      .map((name) => ({ name: name.slice(0, name.lastIndexOf(".")), url: `samples/${name}` }));
    this.emitFile({ type: "asset", fileName: "samples/index.json", source: `${JSON.stringify(listed, null, 1)}\n` });
  },
};

/** A service worker that keeps every file of the build, so that the site works without a network. */
const offline: Plugin = {
  name: "offline",
  apply: "build",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      const version = createHash("sha256");
      for (const file of Object.values(bundle)) version.update(file.type === "chunk" ? file.code : file.source);
      const files = [...Object.keys(bundle), ...readdirSync(new URL("public", import.meta.url))].sort();
      const source = readFileSync(new URL("offline.js", import.meta.url), "utf8")
        .replace('"FILES"', JSON.stringify(files))
        .replace("VERSION", version.digest("hex").slice(0, 16));
      this.emitFile({ type: "asset", fileName: "offline.js", source });
    },
  },
};

/** `vite build --mode site`: a folder of static files that needs no service (`make site`). */
export default defineConfig(({ mode }) => ({
  base: mode === "site" ? "./" : "/",
  define: {
    PAGE_BUILD: JSON.stringify({
      alone: mode === "site",
      kernel: existsSync(javascript("wasm/int8-simd128.wasm")),
    }),
  },
  resolve: {
    // The package's sources: the page needs no build of it.
    alias: [
      { find: /^rascanet-stream$/, replacement: javascript("src/index.ts") },
      { find: /^rascanet-stream\/shipped$/, replacement: javascript("src/shipped.ts") },
    ],
  },
  plugins: [contentSecurityPolicy, documents, ...(mode === "site" ? [samples, offline] : [])],
  worker: { format: "es" },
  build: {
    target: "es2022",
    // The page is served under a policy that allows neither inline scripts nor data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", proxy: { "/v1": { target: service, ws: true } } },
}));
