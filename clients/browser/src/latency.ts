/** Where the time to a decision goes: sensor readout, compute at the server, and the rest of the round trip. */

import { verdictRows } from "./curve";
import type { FrameResult } from "./stream";

export const PARTS = ["readout", "compute", "rest"] as const;
export type Part = (typeof PARTS)[number];

/** One frame's, ms. */
export type Latency = Record<Part, number>;

export interface Quantiles {
  count: number;
  p50: number;
  p95: number;
  p99: number;
}

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

/** By the nearest rank. */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99) };
}

export interface Bin {
  from: number;
  to: number;
  count: number;
}

const STEPS = [1, 2, 5];

/** Counts in bins of a round width, at most `most` of them. */
export function histogram(values: readonly number[], most = 24): Bin[] {
  if (values.length === 0) return [];
  const low = Math.min(...values);
  const high = Math.max(...values);
  // Values that hardly differ share a bin as wide as they can be told apart.
  const wanted = Math.max((high - low) / most, high / 100, 1e-3);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const width = (STEPS.find((step) => step * power >= wanted) ?? 10) * power;
  const first = Math.floor(low / width);
  const bins = Array.from({ length: Math.floor(high / width) - first + 1 }, (_, index) => ({
    from: (first + index) * width,
    to: (first + index + 1) * width,
    count: 0,
  }));
  for (const value of values) {
    const bin = bins[Math.floor(value / width) - first];
    if (bin) bin.count += 1;
  }
  return bins;
}
