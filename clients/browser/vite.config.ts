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

export default defineConfig({
  plugins: [contentSecurityPolicy],
  worker: { format: "es" },
  build: {
    target: "es2022",
    // The page is served under a policy that allows neither inline scripts nor data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", proxy: { "/v1": { target: service, ws: true } } },
});
