/** Frames, one after the other, through a network in this very process: what `FrameStream` is to a service. */

import type { Clock } from "./clock.js";
import { StreamError } from "./connection.js";
import { emptyCurve } from "./curve.js";
import type { ExitPolicy } from "./exit-policy.js";
import { checkFrame, type Frame } from "./frame.js";
import type { Network } from "./kernel.js";
import { atOnce, type Pace } from "./pace.js";
import { decisionOf, FrameScan, scanBurst } from "./scan.js";
import type { FrameListener, FrameReader, FrameResult } from "./stream.js";
import { BURST_ROWS } from "./weights.js";
import type { Decision, PixelFormat, Welcome } from "./wire.js";

export class LocalStream implements FrameReader {
  readonly bufferedPeakBytes = 0;
  readonly burstRows = BURST_ROWS;
  private frameId = 0;

  constructor(
    private readonly network: Network,
    private readonly policy: ExitPolicy,
    private readonly format: PixelFormat,
    private readonly clock: Clock,
    private readonly stop: AbortSignal,
  ) {}

  async open(): Promise<Welcome> {
    const { config, burstsPerFrame, digest } = this.network;
    return {
      type: "welcome",
      variant: `${config.height}x${config.width}`,
      height: config.height,
      width: config.width,
      burst_rows: BURST_ROWS,
      bursts_per_frame: burstsPerFrame,
      policy: this.policy.wanted,
      progress_every: 1,
      weights: digest,
      limits: {},
      pixel_format: this.format,
    };
  }

  /**
   * Reads a frame out at a pace until it is decided.
   *
   * @throws {RangeError} a frame of another size than the network's or another format than the stream's, or that its samples don't fill.
   * @throws {StreamError} `stopped`.
   */
  async read(frame: Frame, pace = atOnce(this.clock), listener: FrameListener = {}): Promise<FrameResult> {
    checkFrame(frame, this.network.config, this.format);
    const { burstsPerFrame } = this.network;
    const welcome = await this.open();
    const startMs = this.clock.now();
    listener.started?.(welcome);
    const scan = new FrameScan(burstsPerFrame, this.policy);
    const hidden = this.network.initialHidden();
    const curve = emptyCurve(burstsPerFrame, BURST_ROWS);
    let computeMs = 0;
    while (!scan.decided) {
      const burst = scan.nextBurst;
      await this.due(pace, (burst + 1) * BURST_ROWS);
      const beginMs = this.clock.now();
      const skipped = scanBurst(this.network, frame, scan, hidden, curve);
      computeMs += this.clock.now() - beginMs;
      listener.sent?.(burst, 1);
      listener.progress?.(curve, burst);
      if (skipped !== null) listener.skipped?.(curve, skipped);
    }
    const { certificate } = this.policy.wanted;
    const decision: Decision = {
      type: "decision",
      frame_id: this.frameId++,
      ...decisionOf(scan),
      compute_us: Math.round(computeMs * 1000),
      ...(typeof certificate === "string" && { certificate }),
    };
    return {
      welcome,
      decision,
      curve,
      rowsSent: scan.processed * BURST_ROWS,
      roundTripMs: computeMs / scan.processed,
      decisionMs: this.clock.now() - startMs,
      reconnections: 0,
    };
  }

  /** Nothing is open, so nothing has to be closed. */
  async end(): Promise<void> {}

  /** Waits until so many rows are read; a change of the pace is followed. */
  private async due(pace: Pace, rows: number): Promise<void> {
    for (;;) {
      if (this.stop.aborted) throw new StreamError("stopped", "Stopped.");
      const dueMs = pace.dueMs(rows);
      const waitMs = dueMs - this.clock.now();
      if (waitMs <= 0) return;
      await new Promise<void>((resolve) => {
        const wake = () => {
          cancel();
          forget();
          this.stop.removeEventListener("abort", wake);
          resolve();
        };
        const cancel = Number.isFinite(waitMs) ? this.clock.after(waitMs, wake) : () => {};
        const forget = pace.onChange(wake);
        this.stop.addEventListener("abort", wake);
      });
    }
  }
}
