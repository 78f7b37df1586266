/** Where the time to a decision goes: sensor readout, compute at the server, and the rest of the round trip. */

import { type FrameResult, verdictRows } from "rascanet-stream";

export const PARTS = ["readout", "compute", "rest"] as const;
export type Part = (typeof PARTS)[number];

/** One frame's, ms. */
export type Latency = Record<Part, number>;

/** Of a frame that was streamed; the readout at the sensor's own line time, without slow motion. */
export function latencyOf({ curve, decision, roundTripMs }: FrameResult, lineTimeUs: number): Latency {
  const readout = (verdictRows(curve, decision) * lineTimeUs) / 1000;
  const compute = Math.min(roundTripMs, (decision.compute_us ?? 0) / 1000 / Math.max(1, decision.processed));
  return { readout, compute, rest: roundTripMs - compute };
}

/** Frames kept; older ones make room. */
export const MAX_SAMPLES = 2_000;

export class LatencyLog {
  private readonly samples: Latency[] = [];

  add(latency: Latency): void {
    if (this.samples.length >= MAX_SAMPLES) this.samples.shift();
    this.samples.push(latency);
  }

  clear(): void {
    this.samples.length = 0;
  }

  get all(): readonly Latency[] {
    return this.samples;
  }

  /** Of one part, or of the whole. */
  values(part: Part | "total"): number[] {
    return this.samples.map((latency) =>
      part === "total" ? latency.readout + latency.compute + latency.rest : latency[part],
    );
  }
}
