import { defineConfig, type Plugin } from "vite";

/** What the page may do; modules are compiled in workers, which have a policy of their own. */
const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'";

const contentSecurityPolicy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: POLICY }, injectTo: "head-prepend" },
  ],
};

export default defineConfig({
  base: "./", // any folder of any static host
  resolve: {
    alias: { "rascanet-stream": new URL("../javascript/src/index.ts", import.meta.url).pathname },
  },
  plugins: [contentSecurityPolicy],
  worker: { format: "es" },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { host: "127.0.0.1" },
});
