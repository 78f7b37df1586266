/** Scans frames from a file in Node: `node scan_frames.mjs JOB.json` prints each decision of each policy as JSON. */

import { readFile } from "node:fs/promises";
import { load, parsePolicy, scanFrame } from "../../../clients/javascript/dist/index.js";

const { weights, frames, policies } = JSON.parse(await readFile(process.argv[2], "utf8"));
const network = await load({ weights });
const { height, width } = network.config;
const bytes = height * width * 3;
const pixels = new Uint8Array(await readFile(frames));
const found = policies.map((policy) =>
  Array.from({ length: pixels.length / bytes }, (_, index) => {
    const samples = pixels.subarray(index * bytes, (index + 1) * bytes);
    const frame = { height, width, format: "rgb8", samples };
    const { curve, ...decision } = scanFrame(network, frame, parsePolicy(policy, policy));
    return { ...decision, curve: curve.points.map(({ p_person }) => p_person), skips: curve.skipped };
  }),
);
console.log(JSON.stringify(found));
