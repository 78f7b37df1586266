/** The weights that come with the project, and files of weights made for tests. */

import { existsSync, readFileSync } from "node:fs";
import { type Arithmetic, type Form, kernelFile, readWeights, supports, type Weights } from "../src/index.js";
import type { Tensor } from "../src/weights.js";

const ROOT = new URL("../../../", import.meta.url);

export function shippedFile(variant: string, arithmetic: Arithmetic): Uint8Array {
  return readFileSync(weightsAddress(arithmetic === "float32" ? variant : `${variant}_${arithmetic}`));
}

/** Where shipped weights lie; `105x120`, `105x120_int8` and so on. */
export function weightsAddress(name: string): URL {
  return new URL(`model/weights/rascanet_${name}.safetensors`, ROOT);
}

export function certificateOf(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`model/weights/rascanet_${name}.certificate.json`, ROOT), "utf8"));
}

export function shippedWeights(variant: string, arithmetic: Arithmetic): Weights {
  return readWeights(shippedFile(variant, arithmetic));
}

export function kernelPath(arithmetic: Arithmetic, form: Form): URL {
  return new URL(`clients/javascript/wasm/${kernelFile(arithmetic, form)}`, ROOT);
}

/** Whether a kernel was built and this engine takes it; else the reason why not. */
export function missing(arithmetic: Arithmetic, form: Form): string {
  if (!existsSync(kernelPath(arithmetic, form))) return "not built: `make wasm`";
  return supports(form) ? "" : "this engine lacks the instructions";
}

/** Whether `make wasm` has built the kernels; without Debian's clang it can't. */
export const built = missing("float32", "simd128") === "" && missing("int8", "simd128") === "";

const TYPES = { Float32Array: "F32", Int32Array: "I32", Int8Array: "I8", Uint16Array: "F16" } as const;

/** A safetensors file. */
export function fileOf(
  metadata: Record<string, string>,
  tensors: Record<string, Omit<Tensor, "values"> & { values: Tensor["values"] | Uint16Array<ArrayBuffer> }>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    const dtype = TYPES[values.constructor.name as keyof typeof TYPES];
    header[name] = { dtype, shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
  }
  const head = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + head.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(head.length), true);
  file.set(head, 8);
  let at = 8 + head.length;
  for (const { values } of Object.values(tensors)) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}

/** A file's metadata, as strings. */
export function metadataOf(file: Uint8Array): Record<string, string> {
  const bytes = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  return JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + bytes))).__metadata__;
}
