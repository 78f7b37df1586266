/** When the sensor has read which row: real time, slow motion, pause and single steps. */

import type { Clock } from "./clock.js";

export class Pace {
  /** Hears of every change; whoever waits for a row looks again. */
  private readonly listeners = new Set<() => void>();
  /** Rows read at `sinceMs`. */
  private row = 0;
  private sinceMs = 0;
  private running = false;

  /** `lineTimeMs` is the time of one line as it passes here, slow motion included; 0: rows are there at once. */
  constructor(
    private readonly clock: Clock,
    private lineTimeMs: number,
    public paused = false,
  ) {}

  /** The readout begins now, with row 0. */
  start(): void {
    this.row = 0;
    this.sinceMs = this.clock.now();
    this.running = true;
    this.tell();
  }

  /** Rows read by now, a fraction while one is being read; not bounded by any frame. */
  rows(): number {
    if (!this.running) return 0;
    if (this.paused) return this.row;
    if (this.lineTimeMs === 0) return Number.POSITIVE_INFINITY;
    return this.row + (this.clock.now() - this.sinceMs) / this.lineTimeMs;
  }

  /** The time at which so many rows are read; infinite while paused. */
  dueMs(rows: number): number {
    if (!this.running) return Number.POSITIVE_INFINITY;
    if (rows <= this.row) return this.sinceMs;
    if (this.paused) return Number.POSITIVE_INFINITY;
    return this.sinceMs + (rows - this.row) * this.lineTimeMs;
  }

  setLineTime(ms: number): void {
    this.hold();
    this.lineTimeMs = ms;
    this.tell();
  }

  pause(): void {
    this.hold();
    this.paused = true;
    this.tell();
  }

  go(): void {
    this.hold();
    this.paused = false;
    this.tell();
  }

  /** One more burst, then stand still. */
  step(burstRows: number): void {
    this.hold();
    this.paused = true;
    this.row = (Math.floor(this.row / burstRows + 1e-6) + 1) * burstRows;
    this.tell();
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private hold(): void {
    const rows = this.rows();
    if (Number.isFinite(rows)) this.row = rows;
    this.sinceMs = this.clock.now();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

/** The pace of a sensor whose rows are all there. */
export function atOnce(clock: Clock): Pace {
  const pace = new Pace(clock, 0);
  pace.start();
  return pace;
}
