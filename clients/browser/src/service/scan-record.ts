/** A scan as it is written to a file: field by field, so that nothing comes along that was not meant to. Pure. */

import type { Curve, Decision, Verdict } from "rascanet-stream";

export interface RecordedLane {
  policy: string;
  parameters: Record<string, number>;
  curve: Curve;
  verdict: (Verdict & Partial<Decision>) | null;
}

export interface RecordedScan {
  picture: string;
  variant: string;
  weights: string;
  lineTimeUs: number;
  lanes: readonly RecordedLane[];
}

/** A decision without what only its stream can use: the resume token lets anybody go on with the stream. */
function decisionRecord(verdict: Verdict & Partial<Decision>): Record<string, unknown> {
  const { burst_index, p_person, person, exited, processed, skipped, unread, compute_us, certificate } = verdict;
  return { burst_index, p_person, person, exited, processed, skipped, unread, compute_us, certificate };
}

export function scanRecord({ picture, variant, weights, lineTimeUs, lanes }: RecordedScan): Record<string, unknown> {
  return {
    picture,
    variant,
    weights,
    line_time_us: lineTimeUs,
    curves: lanes.map(({ policy, parameters, curve, verdict }) => ({
      policy: { name: policy, ...parameters },
      burst_rows: curve.burstRows,
      bursts_per_frame: curve.burstsPerFrame,
      points: curve.points.map(({ burst, p_person, confidence }) => ({ burst, p_person, confidence })),
      skipped: curve.skipped,
      decision: verdict && decisionRecord(verdict),
    })),
  };
}
