/** What an exit saved: rows, bytes, multiply-accumulates and time, of one frame and in total. */

import { type Curve, type Frame, rowBytes, type Verdict } from "rascanet-stream";
import { macsPerBurst } from "./sensors";

export interface Savings {
  frames: number;
  persons: number;
  exits: number;
  rowsSent: number;
  /** Of those, the ones that no decision needed: they were sent before the answer came back. */
  rowsLate: number;
  rows: number;
  /** Of pixels: how many rows share a message, and with it a header, is the link's affair. */
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
  rowBytes: number;
  macsPerBurst: number;
  lineTimeUs: number;
}

/** What a frame costs at the network and the line time of the settings. */
export function costOf(settings: { variant: string; lineTimeUs: number }, curve: Curve, frame: Frame): FrameCost {
  return {
    burstsPerFrame: curve.burstsPerFrame,
    burstRows: curve.burstRows,
    rowBytes: rowBytes(frame),
    macsPerBurst: macsPerBurst(settings.variant) ?? 0,
    lineTimeUs: settings.lineTimeUs,
  };
}

export const NOTHING_SAVED: Savings = {
  frames: 0,
  persons: 0,
  exits: 0,
  rowsSent: 0,
  rowsLate: 0,
  rows: 0,
  bytesSent: 0,
  bytes: 0,
  macs: 0,
  macsFull: 0,
  readoutMs: 0,
  readoutFullMs: 0,
};

/** Of one frame; `rowsSent`: what went out, where more was on its way when the decision came. */
export function savingsOf(verdict: Verdict, cost: FrameCost, rowsSent?: number): Savings {
  const rows = cost.burstsPerFrame * cost.burstRows;
  const readRows = (verdict.exited ? verdict.burst_index + 1 : cost.burstsPerFrame) * cost.burstRows;
  const needed = verdict.processed * cost.burstRows;
  const sent = rowsSent ?? needed;
  return {
    frames: 1,
    persons: Number(verdict.person),
    exits: Number(verdict.exited),
    rowsSent: sent,
    rowsLate: Math.max(0, sent - needed),
    rows,
    bytesSent: sent * cost.rowBytes,
    bytes: rows * cost.rowBytes,
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

/** The link that the everyday figure is about; about what Bluetooth Low Energy puts on the air. */
export const LINK_BITS_PER_S = 1_000_000;

/** Frames a second that such a link carries: whole ones, and as many rows of them as were sent. */
export function linkFrames({ frames, bytes, bytesSent }: Savings): { whole: number; sent: number } {
  const perSecond = (total: number) => (frames * LINK_BITS_PER_S) / (total * 8);
  return { whole: perSecond(bytes), sent: perSecond(bytesSent) };
}
