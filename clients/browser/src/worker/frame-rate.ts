/** Whether a live source keeps pace: frames captured, read, dropped, and how evenly they come. */

import { quantiles } from "./quantiles";

export interface FrameRateReport {
  captured: number;
  read: number;
  /** Captured while the one before was still being read, and so left out. */
  dropped: number;
  /** Frames read a second, over the window. */
  framesPerSecond: number;
  /** Between captures, ms. */
  intervalP50Ms: number;
  intervalP95Ms: number;
  /** Frames that waited at the same time, the most so far. */
  waitingPeak: number;
  bufferedPeakBytes: number;
}

const WINDOW = 300;

export class FrameRate {
  private captured = 0;
  private dropped = 0;
  private readCount = 0;
  private waitingPeak = 0;
  private readonly intervals: number[] = [];
  private readonly readAtMs: number[] = [];
  private lastMs: number | null = null;

  capture(nowMs: number): void {
    this.captured += 1;
    if (this.lastMs !== null) push(this.intervals, nowMs - this.lastMs);
    this.lastMs = nowMs;
  }

  drop(): void {
    this.dropped += 1;
  }

  wait(frames: number): void {
    this.waitingPeak = Math.max(this.waitingPeak, frames);
  }

  read(nowMs: number): void {
    this.readCount += 1;
    push(this.readAtMs, nowMs);
  }

  report(bufferedPeakBytes: number): FrameRateReport {
    const { p50, p95 } = quantiles(this.intervals);
    const spanMs = (this.readAtMs.at(-1) ?? 0) - (this.readAtMs[0] ?? 0);
    return {
      captured: this.captured,
      read: this.readCount,
      dropped: this.dropped,
      framesPerSecond: spanMs > 0 ? ((this.readAtMs.length - 1) / spanMs) * 1000 : 0,
      intervalP50Ms: p50,
      intervalP95Ms: p95,
      waitingPeak: this.waitingPeak,
      bufferedPeakBytes,
    };
  }
}

function push(values: number[], value: number): void {
  values.push(value);
  if (values.length > WINDOW) values.shift();
}
