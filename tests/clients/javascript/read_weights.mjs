/** Reads files of weights; writes the numbers of each one's tensors beside it, in the order of their names. */

import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { readWeights } from "../../../clients/javascript/dist/index.js";

for (const path of argv.slice(2)) {
  const { tensors } = readWeights(readFileSync(path));
  const all = [...tensors].sort(([one], [other]) => (one < other ? -1 : 1));
  writeFileSync(`${path}.values`, Buffer.concat(all.map(([, { values }]) => new Uint8Array(values.buffer))));
}
