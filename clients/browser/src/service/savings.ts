/** What an exit saved: rows, bytes, multiply-accumulates and time, of one frame and in total. */

import type { Curve, Verdict } from "../worker/curve";
import { type Frame, rowBytes } from "../worker/frame";
import { HEADER_BYTES } from "../worker/wire";
import { macsPerBurst } from "./sensors";

export interface Savings {
  frames: number;
  persons: number;
  exits: number;
  rowsSent: number;
  rows: number;
  bytesSent: number;
  bytes: number;
  macs: number;
  macsFull: number;
  /** From the start of the readout to the last row needed, and of the whole frame, at the sensor's own line time. */
  readoutMs: number;
  readoutFullMs: number;
}

export interface FrameCost {
  burstsPerFrame: number;
  burstRows: number;
  /** Of one burst's message, header included. */
  burstBytes: number;
  macsPerBurst: number;
  lineTimeUs: number;
}

/** What a frame costs at the network and the line time of the settings. */
export function costOf(settings: { variant: string; lineTimeUs: number }, curve: Curve, frame: Frame): FrameCost {
  return {
    burstsPerFrame: curve.burstsPerFrame,
    burstRows: curve.burstRows,
    burstBytes: HEADER_BYTES + curve.burstRows * rowBytes(frame),
    macsPerBurst: macsPerBurst(settings.variant) ?? 0,
    lineTimeUs: settings.lineTimeUs,
  };
}

export const NOTHING_SAVED: Savings = {
  frames: 0,
  persons: 0,
  exits: 0,
  rowsSent: 0,
  rows: 0,
  bytesSent: 0,
  bytes: 0,
  macs: 0,
  macsFull: 0,
  readoutMs: 0,
  readoutFullMs: 0,
};

/** Of one frame; `sent`: what went out, where more was on its way when the decision came. */
export function savingsOf(verdict: Verdict, cost: FrameCost, sent?: { rows: number; bytes: number }): Savings {
  const rows = cost.burstsPerFrame * cost.burstRows;
  const readRows = (verdict.exited ? verdict.burst_index + 1 : cost.burstsPerFrame) * cost.burstRows;
  return {
    frames: 1,
    persons: Number(verdict.person),
    exits: Number(verdict.exited),
    rowsSent: sent?.rows ?? verdict.processed * cost.burstRows,
    rows,
    bytesSent: sent?.bytes ?? verdict.processed * cost.burstBytes,
    bytes: cost.burstsPerFrame * cost.burstBytes,
    macs: verdict.processed * cost.macsPerBurst,
    macsFull: cost.burstsPerFrame * cost.macsPerBurst,
    readoutMs: (readRows * cost.lineTimeUs) / 1000,
    readoutFullMs: (rows * cost.lineTimeUs) / 1000,
  };
}

export function addSavings(one: Savings, other: Savings): Savings {
  const keys = Object.keys(one) as (keyof Savings)[];
  return Object.fromEntries(keys.map((key) => [key, one[key] + other[key]])) as unknown as Savings;
}
