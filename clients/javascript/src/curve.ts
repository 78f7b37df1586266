/** What the network said burst by burst, and what an exit threshold makes of it. */

import { PERSON_FROM } from "./exit-policy.js";
import type { Decision } from "./wire.js";

export interface Point {
  burst: number;
  p_person: number;
  confidence: number;
}

/** Everything the service said about one frame, in the order of its bursts. */
export interface Curve {
  burstsPerFrame: number;
  burstRows: number;
  points: Point[];
  skipped: number[];
}

/** How a frame was decided; the fields of PROTOCOL.md's `decision`. */
export type Verdict = Pick<
  Decision,
  "burst_index" | "p_person" | "person" | "exited" | "processed" | "skipped" | "unread"
>;

export function emptyCurve(burstsPerFrame: number, burstRows: number): Curve {
  return { burstsPerFrame, burstRows, points: [], skipped: [] };
}

/** Adds a point; one that is there already, from before a reconnection, is replaced. */
export function addPoint(curve: Curve, point: Point): void {
  const at = curve.points.findIndex(({ burst }) => burst >= point.burst);
  if (at < 0) curve.points.push(point);
  else curve.points.splice(at, curve.points[at]?.burst === point.burst ? 1 : 0, point);
}

/**
 * The verdict of a policy that exits at the first point for which `exits` holds, from a curve read with the same skips
 * and no exit: up to the exit the hidden state is the same, so nothing has to be computed again.
 */
export function verdictAt(curve: Curve, exits: (point: Point) => boolean): Verdict {
  const { points, skipped, burstsPerFrame } = curve;
  // Nothing is left to save at the last burst, so no policy is asked there.
  const index = points.findIndex((point) => point.burst < burstsPerFrame - 1 && exits(point));
  const last = points[index < 0 ? points.length - 1 : index];
  if (last === undefined) throw new Error("a curve without points has no verdict");
  const exited = index >= 0;
  const skips = exited ? skipped.filter((burst) => burst < last.burst).length : skipped.length;
  const processed = exited ? index + 1 : points.length;
  return {
    burst_index: last.burst,
    p_person: last.p_person,
    person: last.p_person >= PERSON_FROM,
    exited,
    processed,
    skipped: skips,
    unread: burstsPerFrame - processed - skips,
  };
}

/** Whether a frame read without skips would meet this skip threshold, so that its hidden state would be another. */
export function meetsSkip(curve: Curve, skipThreshold: number): boolean {
  return curve.points.some(({ burst, p_person }) => burst < curve.burstsPerFrame - 1 && p_person <= skipThreshold);
}

/** Rows of the frame after which the verdict stood. */
export function verdictRows(curve: Curve, verdict: Verdict): number {
  return verdict.exited ? (verdict.burst_index + 1) * curve.burstRows : curve.burstsPerFrame * curve.burstRows;
}

export type BurstState = "processed" | "skipped" | "unread";

/** What became of each burst of a frame, in order. */
export function burstsOf(curve: Curve): { burst: number; rows: number; state: BurstState; point?: Point }[] {
  const skipped = new Set(curve.skipped);
  const points = new Map(curve.points.map((point) => [point.burst, point]));
  return Array.from({ length: curve.burstsPerFrame }, (_, burst) => {
    const point = points.get(burst);
    const state = point ? "processed" : skipped.has(burst) ? "skipped" : "unread";
    return { burst, rows: (burst + 1) * curve.burstRows, state, ...(point && { point }) };
  });
}

/** One line a policy and burst, with a header. */
export function curvesCsv(curves: readonly { policy: string; curve: Curve }[]): string {
  const lines = curves.flatMap(({ policy, curve }) =>
    burstsOf(curve).map(({ burst, rows, state, point }) =>
      [policy, burst, rows, state, point?.p_person ?? "", point?.confidence ?? ""].join(","),
    ),
  );
  return ["policy,burst_index,rows,state,p_person,confidence", ...lines, ""].join("\n");
}
