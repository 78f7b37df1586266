/** Asks a service what it thinks of a picture and of a frame: `node ask_service.mjs URL PICTURE FRAME`, decisions as JSON. */

import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { HttpClient, streamTo } from "../../../clients/javascript/dist/index.js";

const [url, picture, pixels] = process.argv.slice(2);
const client = new HttpClient(url);
const { models } = await client.models();
const { variant, height, width } = models[0];
const pictures = [
  { name: "picture", content: await openAsBlob(picture) },
  { name: "notes", content: new Blob(["no picture"]) },
];
const policy = { name: "fixed_row", share: 0.5 };
const classified = await client.classify(pictures, { variant, policy, curve: true });
const [alone] = await client.classify(pictures.slice(1));
const stream = streamTo(url, { variant, policy });
const frame = { height, width, format: "rgb8", samples: new Uint8Array(await readFile(pixels)) };
const { decision, curve } = await stream.read(frame);
const summary = await stream.end();
console.log(JSON.stringify({ models, classified, alone, decision, points: curve.points, summary }));
