/** A step on our kernel. Each address is written out, because that is how the bundler finds the files. */

import { compileKernel, createNetwork, readWeights, supports } from "rascanet-stream";
import small from "../../../../model/weights/rascanet_105x120.safetensors?url";
import smallInt8 from "../../../../model/weights/rascanet_105x120_int8.safetensors?url";
import large from "../../../../model/weights/rascanet_210x240.safetensors?url";
import largeInt8 from "../../../../model/weights/rascanet_210x240_int8.safetensors?url";
import float32Relaxed from "../../../javascript/wasm/float32-relaxed.wasm?url";
import float32Scalar from "../../../javascript/wasm/float32-scalar.wasm?url";
import float32Simd128 from "../../../javascript/wasm/float32-simd128.wasm?url";
import int8Scalar from "../../../javascript/wasm/int8-scalar.wasm?url";
import int8Simd128 from "../../../javascript/wasm/int8-simd128.wasm?url";
import type { Contender, Step, Variant } from "../contenders.js";
import { Missing } from "./missing.js";

const KERNELS = {
  float32: { relaxed: float32Relaxed, simd128: float32Simd128, scalar: float32Scalar },
  int8: { relaxed: undefined, simd128: int8Simd128, scalar: int8Scalar },
};
const WEIGHTS = {
  "105x120": { float32: small, int8: smallInt8 },
  "210x240": { float32: large, int8: largeInt8 },
};

export async function ours(
  { arithmetic, form }: Extract<Contender, { runtime: "ours" }>,
  variant: Variant,
): Promise<Step> {
  const address = KERNELS[arithmetic][form];
  if (address === undefined || !supports(form)) throw new Missing(`this browser has no ${form} instructions`);
  const [kernel, weights] = await Promise.all([
    compileKernel(fetch(address)),
    fetch(WEIGHTS[variant][arithmetic]).then((answer) => answer.arrayBuffer()),
  ]);
  const network = await createNetwork(readWeights(weights), kernel);
  const hidden = network.initialHidden();
  return (rows) => network.step(rows, hidden)[0]?.logits ?? [];
}
