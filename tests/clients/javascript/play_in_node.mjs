/** Plays jobs in Node: files in, files out. */

import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { play } from "./play.mjs";

for (const { weights, kernel, frames, out } of JSON.parse(readFileSync(argv[2], "utf8"))) {
  const bytes = (path) => new Uint8Array(readFileSync(path));
  const { outputs, states } = await play({ weights: bytes(weights), kernel: bytes(kernel), frames: bytes(frames) });
  writeFileSync(`${out}.outputs`, outputs);
  writeFileSync(`${out}.states`, states);
}
