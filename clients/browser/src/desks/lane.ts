/** One policy over the frame at hand: what was streamed, and what another threshold would make of it. */

import type { Thresholds } from "../view/plot";
import { type Curve, emptyCurve, meetsSkip, type Point, type Verdict, verdictAt, verdictRows } from "../worker/curve";
import type { FrameResult } from "../worker/stream";
import type { Policy } from "../worker/wire";

/** The rule whose exit can be told from a curve read without exit (model/exit_policy.py). */
const PUBLISHED = "published";

/** The published rule at its highest exit threshold reads on as long as any lower one would have to be asked. */
const NO_EXIT = 1;

export class LaneState {
  curve: Curve;
  verdict: Verdict | null = null;
  result: FrameResult | null = null;
  /** A curve read with the skip threshold in force and without exit. */
  private whatIf: { skip: number; curve: Curve } | null = null;

  constructor(
    readonly policy: string,
    public parameters: Record<string, number>,
    burstsPerFrame: number,
    burstRows: number,
  ) {
    this.curve = emptyCurve(burstsPerFrame, burstRows);
  }

  get thresholds(): Thresholds {
    const { exit_threshold: exit, skip_threshold: skip } = this.parameters;
    return { ...(exit !== undefined && { exit }), ...(skip !== undefined && { skip }) };
  }

  /** Takes what the service decided. */
  finish(result: FrameResult): void {
    this.result = result;
    this.curve = result.curve;
    this.verdict = result.decision;
  }

  /** Takes the frame's curve under the policy *never*; good for every exit threshold unless a skip is met. */
  learn(full: Curve): void {
    const { exit, skip } = this.thresholds;
    if (this.policy !== PUBLISHED || exit === undefined || skip === undefined) return;
    if (!meetsSkip(full, skip)) this.whatIf = { skip, curve: full };
  }

  /** Takes the curve of a rerun under `rerunPolicy`. */
  learnRerun(result: FrameResult): void {
    const { skip } = this.thresholds;
    if (this.policy === PUBLISHED && skip !== undefined) {
      this.whatIf = { skip, curve: result.curve };
      this.reevaluate();
    } else {
      this.finish(result);
    }
  }

  /** What has to be run again from the kept rows to know the decision, or null if the curves at hand say it. */
  rerunPolicy(): Policy | null {
    if (this.policy !== PUBLISHED) return { name: this.policy, ...this.parameters };
    if (this.whatIf !== null && this.whatIf.skip === this.thresholds.skip) return null;
    return { name: PUBLISHED, ...this.parameters, exit_threshold: NO_EXIT };
  }

  /** The verdict at the thresholds in force, from the curve without exit. */
  reevaluate(): void {
    const { exit } = this.thresholds;
    if (this.whatIf === null || exit === undefined) return;
    this.verdict = verdictAt(this.whatIf.curve, exit);
    const last = this.verdict.exited ? this.verdict.burst_index : this.curve.burstsPerFrame;
    const { curve } = this.whatIf;
    this.curve = {
      ...curve,
      points: curve.points.filter(({ burst }) => burst <= last),
      skipped: curve.skipped.filter((burst) => burst < last),
    };
  }

  /** What the network would have thought after the decision. */
  beyond(full: Curve | null): readonly Point[] {
    return this.whatIf?.skip === this.thresholds.skip ? (this.whatIf?.curve.points ?? []) : (full?.points ?? []);
  }

  /** Rows after which it is decided; null before. */
  decidedRows(): number | null {
    return this.verdict === null ? null : verdictRows(this.curve, this.verdict);
  }
}
