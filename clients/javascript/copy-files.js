/**
 * Copies what the package is packed and built with: the shipped weights and their certificates, the card that says what
 * they may be used for, and the licence of the code.
 */

import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const weights = new URL("model/weights/", root);
const to = new URL("./weights/", import.meta.url);

if (process.argv.includes("--packed") && !existsSync(new URL("./wasm/", import.meta.url))) {
  throw new Error("there is no kernel in wasm/ to pack: `make wasm` in the repository builds it");
}
mkdirSync(to, { recursive: true });
for (const name of readdirSync(weights)) {
  if (name.startsWith("rascanet_")) copyFileSync(new URL(name, weights), new URL(name.slice("rascanet_".length), to));
}
copyFileSync(new URL("MODEL_CARD.md", root), new URL("MODEL_CARD.md", to));
copyFileSync(new URL("LICENSE", root), new URL("./LICENSE", import.meta.url));
