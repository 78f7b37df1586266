/** Measures contenders in turns, so that a slow moment of the machine hits them all. */

import { CONTENDERS, type Contender, nameOf, type Reply, type Request, type Variant } from "./contenders.js";

export interface Plan {
  variants: readonly Variant[];
  /** Each contender is loaded so often, each time in a new worker that is alone. */
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

function load(runner: Runner, contender: Contender, variant: Variant): Promise<Reply> {
  const form = contender.runtime === "ours" ? "" : contender.form;
  const onnx = new URL(`onnx/${variant}-${form}.onnx`, document.baseURI).href;
  return runner.ask({ type: "load", contender, variant, onnx });
}

/**
 * After a worker's end: what it held is given back by then, so it takes no time from the next load, and a module that it
 * compiled is not found again by another contender on the same runtime.
 */
const PAUSE_MS = 300;

async function measureLoad(contender: Contender, variant: Variant, into: Measured): Promise<void> {
  const runner = new Runner();
  const reply = await load(runner, contender, variant);
  runner.end();
  if (reply.type === "loaded") {
    into.loadMs.push(reply.ms);
    into.bytes = reply.bytes;
    into.logits = reply.logits;
  } else if (reply.type === "missing") {
    into.missing = reply.reason;
  }
  await new Promise((done) => setTimeout(done, PAUSE_MS));
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
  for (let round = 0; round < plan.loads; round++) {
    // Each round begins with another contender.
    for (const { contender, measured } of [...all.slice(round % all.length), ...all.slice(0, round % all.length)]) {
      if (measured.missing !== undefined) continue;
      say(`${variant}: loading ${measured.name}, ${round + 1} of ${plan.loads}`);
      await measureLoad(contender, variant, measured);
    }
  }
  const running: Running[] = [];
  for (const { contender, measured } of all) {
    if (measured.missing !== undefined) continue;
    const runner = new Runner();
    await load(runner, contender, variant);
    running.push({ measured, runner });
  }
  for (let round = 0; round <= plan.rounds; round++) {
    say(`${variant}: round ${round} of ${plan.rounds}`);
    for (const { measured, runner } of running) {
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
