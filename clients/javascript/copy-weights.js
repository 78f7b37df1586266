/** Copies the shipped weights and their certificates into the package, so that they can be packed and built with it. */

import { copyFileSync, mkdirSync, readdirSync } from "node:fs";

const from = new URL("../../model/weights/", import.meta.url);
const to = new URL("./weights/", import.meta.url);

mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  if (name.startsWith("rascanet_")) copyFileSync(new URL(name, from), new URL(name.slice("rascanet_".length), to));
}
