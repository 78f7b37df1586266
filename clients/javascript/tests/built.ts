/** The weights and kernels that come with the package, where they are built. */

import { existsSync, readFileSync } from "node:fs";

const root = new URL("../../../", import.meta.url);

export const weightsFile = (name: string) => new URL(`model/weights/rascanet_${name}.safetensors`, root);

export function certificateOf(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`model/weights/rascanet_${name}.certificate.json`, root), "utf8"));
}

/** Whether `make wasm` has built the kernels; without Debian's clang it can't. */
export const built = existsSync(new URL("../wasm/float32-simd128.wasm", import.meta.url));
