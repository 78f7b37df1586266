import { defineConfig } from "vite";

const service = `http://127.0.0.1:${process.env.RASCANET_PORT ?? "8000"}`;

export default defineConfig({
  build: {
    target: "es2022",
    // The page is served under a policy that allows neither inline scripts nor data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", proxy: { "/v1": { target: service, ws: true } } },
});
