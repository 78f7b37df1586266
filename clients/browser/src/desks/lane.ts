/** One policy over the frame at hand: what was streamed, and what other parameters would make of it. */

import {
  type Curve,
  type ExitLine,
  emptyCurve,
  exitLines,
  exitsAt,
  type FrameResult,
  meetsSkip,
  type Policy,
  toldByLines,
  type Verdict,
  verdictAt,
  verdictRows,
} from "rascanet-stream";
import type { Beyond } from "../view/panel";

/** The published rule at its highest exit threshold reads on as long as any lower one would have to be asked. */
const NO_EXIT = 1;

export class LaneState {
  curve: Curve;
  verdict: Verdict | null = null;
  result: FrameResult | null = null;
  /** A curve read with the skip threshold in force and without exit. */
  private whatIf: { skip: number | undefined; curve: Curve } | null = null;

  /** `certificate`: of the weights at hand; the policy *calibrated* has its lines from there. */
  constructor(
    readonly policy: string,
    public parameters: Record<string, number>,
    private readonly certificate: Readonly<Record<string, unknown>> | null,
    burstsPerFrame: number,
    burstRows: number,
  ) {
    this.curve = emptyCurve(burstsPerFrame, burstRows);
  }

  get lines(): ExitLine[] {
    return exitLines(this.policy === this.certificate?.name ? this.certificate : this.parameters);
  }

  private get skip(): number | undefined {
    return this.lines.find(({ kind }) => kind === "skip")?.at(0);
  }

  /** Takes what the service decided. */
  finish(result: FrameResult): void {
    this.result = result;
    this.curve = result.curve;
    this.verdict = result.decision;
  }

  /** Takes the frame's curve under the policy *never*; good for every exit unless a skip is met. */
  learn(full: Curve): void {
    const { skip } = this;
    if (!toldByLines(this.policy)) return;
    if (skip === undefined || !meetsSkip(full, skip)) this.whatIf = { skip, curve: full };
  }

  /** Takes the curve of a rerun under `rerunPolicy`. */
  learnRerun(result: FrameResult): void {
    const { skip } = this;
    if (toldByLines(this.policy) && skip !== undefined) {
      this.whatIf = { skip, curve: result.curve };
      this.reevaluate();
    } else {
      this.finish(result);
    }
  }

  /** What has to be run again from the kept rows to know the decision, or null if the curves at hand say it. */
  rerunPolicy(): Policy | null {
    const { skip } = this;
    if (this.whatIf !== null && this.whatIf.skip === skip) return null;
    const policy = { name: this.policy, ...this.parameters };
    return toldByLines(this.policy) && skip !== undefined ? { ...policy, exit_threshold: NO_EXIT } : policy;
  }

  /** The verdict at the parameters in force, from the curve without exit. */
  reevaluate(): void {
    if (this.whatIf === null) return;
    const { curve } = this.whatIf;
    const { lines } = this;
    this.verdict = verdictAt(curve, (point) => exitsAt(lines, point, curve.burstsPerFrame));
    const last = this.verdict.exited ? this.verdict.burst_index : curve.burstsPerFrame;
    this.curve = {
      ...curve,
      points: curve.points.filter(({ burst }) => burst <= last),
      skipped: curve.skipped.filter((burst) => burst < last),
    };
  }

  /** What the network would have thought after the decision; `full`: its curve under the policy *never*. */
  beyond(full: Curve | null): Beyond {
    if (this.whatIf !== null && this.whatIf.skip === this.skip)
      return { points: this.whatIf.curve.points, whole: false };
    return { points: full?.points ?? [], whole: this.curve.skipped.length > 0 };
  }

  /** Rows after which it is decided; null before. */
  decidedRows(): number | null {
    return this.verdict === null ? null : verdictRows(this.curve, this.verdict);
  }
}
