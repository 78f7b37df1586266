/** Measures contenders in turns, so that a slow moment of the machine hits them all. */

import { CONTENDERS, type Contender, nameOf, type Reply, type Request, type Variant } from "./contenders.js";

export interface Plan {
  variants: readonly Variant[];
  /** Each contender is loaded so often, each time in a new worker. */
  loads: number;
  /** A turn of each contender in each round, after one turn that doesn't count. */
  rounds: number;
  turnMs: number;
}

export const PLAN: Plan = { variants: ["105x120", "210x240"], loads: 5, rounds: 9, turnMs: 200 };

export interface Measured {
  name: string;
  ours: boolean;
  /** From the worker's start to the first decision, each time. */
  loadMs: number[];
  /** Bytes fetched for it, as they lie on the host. */
  bytes: number;
  usPerBurst: number[];
  /** After five bursts. */
  logits: readonly number[];
  /** Why it was not measured. */
  missing?: string;
}

export interface Report {
  format: typeof FORMAT;
  agent: string;
  cores: number;
  variants: { variant: Variant; contenders: Measured[] }[];
}

export const FORMAT = "rascanet-stream browser bench/1";

/** A worker that answers one question at a time. */
class Runner {
  private readonly worker = new Worker(new URL("./worker/worker.ts", import.meta.url), { type: "module" });

  ask(request: Request): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }: MessageEvent<Reply>) => resolve(data);
      this.worker.onerror = (event) => reject(new Error(event.message || "a worker could not be loaded"));
      this.worker.postMessage(request);
    });
  }

  end(): void {
    this.worker.terminate();
  }
}

interface Running {
  measured: Measured;
  runner: Runner;
}

async function load(contender: Contender, variant: Variant, into: Measured): Promise<Runner> {
  const runner = new Runner();
  const form = contender.runtime === "ours" ? "" : contender.form;
  const onnx = new URL(`onnx/${variant}-${form}.onnx`, document.baseURI).href;
  const reply = await runner.ask({ type: "load", contender, variant, onnx });
  if (reply.type === "loaded") {
    into.loadMs.push(reply.ms);
    into.bytes = reply.bytes;
    into.logits = reply.logits;
  } else if (reply.type === "missing") {
    into.missing = reply.reason;
  }
  return runner;
}

async function measureVariant(plan: Plan, variant: Variant, say: (words: string) => void): Promise<Measured[]> {
  const all = CONTENDERS.map((contender) => ({
    contender,
    measured: {
      name: nameOf(contender),
      ours: contender.runtime === "ours",
      loadMs: [],
      bytes: 0,
      usPerBurst: [],
      logits: [],
    } as Measured,
  }));
  let running: Running[] = [];
  for (let round = 0; round < plan.loads; round++) {
    for (const { runner } of running) runner.end();
    running = [];
    for (const { contender, measured } of all) {
      if (measured.missing !== undefined) continue;
      say(`${variant}: loading ${measured.name}, ${round + 1} of ${plan.loads}`);
      running.push({ measured, runner: await load(contender, variant, measured) });
    }
  }
  for (let round = 0; round <= plan.rounds; round++) {
    say(`${variant}: round ${round} of ${plan.rounds}`);
    for (const { measured, runner } of running) {
      if (measured.missing !== undefined) continue;
      const reply = await runner.ask({ type: "turn", ms: plan.turnMs });
      if (reply.type === "turned" && round > 0) measured.usPerBurst.push(reply.usPerBurst);
    }
  }
  for (const { runner } of running) runner.end();
  return all.map(({ measured }) => measured);
}

/** Measures everything; says how far it is. */
export async function measure(plan: Plan, say: (words: string) => void): Promise<Report> {
  const variants: Report["variants"] = [];
  for (const variant of plan.variants) variants.push({ variant, contenders: await measureVariant(plan, variant, say) });
  return { format: FORMAT, agent: navigator.userAgent, cores: navigator.hardwareConcurrency, variants };
}
