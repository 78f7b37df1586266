/** What a scan came to, in numbers and in words. */

import type { ScanResult } from "./scan";
import { CHANNELS, type Decision, HEADER_BYTES, type Welcome } from "./wire";

export interface Savings {
  rowsSent: number;
  rows: number;
  bytesSent: number;
  bytesSaved: number;
  /** Bursts processed / bursts per frame; lower is cheaper. */
  processedRatio: number;
  decisionMs: number;
  /** Time to read the whole frame; an estimate from the pace so far where no line time paces the readout. */
  fullReadoutMs: number;
  fullReadoutEstimated: boolean;
}

export function savings(result: ScanResult, lineTimeMs: number): Savings {
  const { welcome, decision } = result;
  const messageBytes = HEADER_BYTES + welcome.burst_rows * welcome.width * CHANNELS;
  const passed = welcome.bursts_per_frame - decision.unread;
  const paced = lineTimeMs > 0;
  return {
    rowsSent: result.burstsSent * welcome.burst_rows,
    rows: welcome.height,
    bytesSent: result.rowBytesSent,
    bytesSaved: welcome.bursts_per_frame * messageBytes - result.rowBytesSent,
    processedRatio: decision.processed / welcome.bursts_per_frame,
    decisionMs: result.decisionMs,
    fullReadoutMs: paced ? welcome.height * lineTimeMs : (result.decisionMs * welcome.bursts_per_frame) / passed,
    fullReadoutEstimated: !paced && decision.unread > 0,
  };
}

/** The row below which nothing more was needed. */
export function decidedAfterRows(decision: Decision, welcome: Welcome): number {
  return decision.exited ? (decision.burst_index + 1) * welcome.burst_rows : welcome.height;
}

export function decisionWords(decision: Decision, welcome: Welcome): string {
  const verdict = decision.person ? "Person" : "No person";
  if (!decision.exited) return `${verdict} — read to the end`;
  const rows = decidedAfterRows(decision, welcome);
  return `${verdict} — decided after ${rows} of ${welcome.height} rows (${percent(rows / welcome.height)})`;
}

/** What the decision rests on, beside the decision itself. */
export function detailWords(decision: Decision, welcome: Welcome): string {
  const p = probabilityWords(decision.p_person);
  const unread = decision.unread * welcome.burst_rows;
  const skipped = decision.skipped > 0 ? `; ${decision.skipped} of ${welcome.bursts_per_frame} bursts skipped` : "";
  if (!decision.exited) return `P(person) came to ${p} at the last row${skipped}.`;
  return `P(person) came to ${p}; the remaining ${unread} rows are not needed${skipped}.`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** kB = 1,000 B. */
export function bytesWords(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}

export function timeWords(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

/** P(person) as far as its digits mean something; never 1.000 or 0.000 where it is neither. */
export function probabilityWords(p: number): string {
  if (p > 0 && p < 0.001) return "< 0.001";
  if (p < 1 && p > 0.999) return "> 0.999";
  return p.toFixed(3);
}
