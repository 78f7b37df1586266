/** The same step on onnxruntime-web: one thread, fixed SIMD (its package has no other form), the state handed on. */

import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import type { Step } from "../contenders.js";
import { Missing } from "./missing.js";

export async function onnxruntime(address: string): Promise<Step> {
  env.wasm.numThreads = 1;
  env.wasm.wasmPaths = { wasm: new URL(wasm, import.meta.url).href };
  const answer = await fetch(address);
  if (!answer.ok) throw new Missing(`no exported step at ${address}`);
  const session = await InferenceSession.create(await answer.arrayBuffer(), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const shapeOf = (name: string): number[] => {
    const input = session.inputMetadata.find((each) => each.name === name);
    return input?.isTensor ? input.shape.map(Number) : [];
  };
  const [rowsShape, hiddenShape] = [shapeOf("rows"), shapeOf("hidden")];
  const size = hiddenShape.reduce((product, length) => product * length, 1);
  let hidden = new Tensor("float32", new Float32Array(size), hiddenShape);
  return async (rows) => {
    const outputs = await session.run({ rows: new Tensor("uint8", rows, rowsShape), hidden });
    hidden = outputs.next_hidden as typeof hidden;
    return Array.from(outputs.logits?.data as Float32Array);
  };
}
