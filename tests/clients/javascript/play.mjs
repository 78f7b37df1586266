/** Steps frames through a kernel, burst by burst: what Node and Chromium run alike. */

import { compileKernel, createNetwork, readWeights } from "../../../clients/javascript/dist/index.js";

/**
 * Plays frames [frame][row][column][colour] of bytes.
 *
 * Gives the outputs of each burst (logits, confidence, P(person): four doubles) and the bytes of each state after it.
 */
export async function play({ weights, kernel, frames }) {
  const network = await createNetwork(readWeights(weights), await compileKernel(kernel));
  const { height, width } = network.config;
  const frameBytes = height * width * 3;
  const burstBytes = frameBytes / network.burstsPerFrame;
  const bursts = frames.length / burstBytes;
  const outputs = new Float64Array(bursts * 4);
  const stateBytes = network.initialHidden().byteLength;
  const states = new Uint8Array(bursts * stateBytes);
  for (let burst = 0, hidden; burst < bursts; burst++) {
    if (burst % network.burstsPerFrame === 0) hidden = network.initialHidden();
    const [{ logits, confidence, pPerson }] = network.step(
      frames.subarray(burst * burstBytes, (burst + 1) * burstBytes),
      hidden,
    );
    outputs.set([...logits, confidence, pPerson], burst * 4);
    states.set(new Uint8Array(hidden.buffer), burst * stateBytes);
  }
  return { outputs: new Uint8Array(outputs.buffer), states };
}
