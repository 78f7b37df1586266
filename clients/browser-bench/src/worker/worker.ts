/** One contender: loads when asked, and steps for as long as it is asked to. */

import { burstOf, type Contender, type Reply, type Request, type Step, type Variant } from "../contenders.js";
import { Missing } from "./missing.js";

const CHECKED_BURSTS = 5;
const CALLS_BETWEEN_LOOKS = 8;

let step: Step = () => [];
let rows = new Uint8Array(0);

async function make(contender: Contender, variant: Variant, onnx: string): Promise<Step> {
  if (contender.runtime === "ours") return (await import("./ours.js")).ours(contender, variant);
  return (await import("./onnxruntime.js")).onnxruntime(onnx);
}

async function load({ contender, variant, onnx }: Extract<Request, { type: "load" }>): Promise<Reply> {
  rows = burstOf(variant);
  const start = performance.now();
  step = await make(contender, variant, onnx);
  let logits = await step(rows);
  const ms = performance.now() - start;
  const fetched = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
  for (let burst = 1; burst < CHECKED_BURSTS; burst++) logits = await step(rows);
  return { type: "loaded", ms, bytes: fetched.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0), logits };
}

async function turn(ms: number): Promise<Reply> {
  const start = performance.now();
  let calls = 0;
  let elapsed = 0;
  for (; elapsed < ms; elapsed = performance.now() - start) {
    for (let i = 0; i < CALLS_BETWEEN_LOOKS; i++) {
      const made = step(rows);
      if (made instanceof Promise) await made; // what answers at once isn't waited for
    }
    calls += CALLS_BETWEEN_LOOKS;
  }
  return { type: "turned", usPerBurst: (1000 * elapsed) / calls };
}

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  try {
    self.postMessage(data.type === "load" ? await load(data) : await turn(data.ms));
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    self.postMessage({ type: "missing", reason: error.message } satisfies Reply);
  }
};

// A rejected promise inside the handler is an error of the worker: the page hears of it and stops.
self.onunhandledrejection = ({ reason }) => {
  self.reportError(reason);
};
