import { type Curve, emptyCurve, type FrameResult, verdictAt } from "rascanet-stream";
import { describe, expect, it } from "vitest";
import { LaneState } from "../../src/desks/lane";

function curveOf(...values: number[]): Curve {
  const points = values.map((p_person, burst) => ({ burst, p_person, confidence: 0.9 }));
  return { ...emptyCurve(values.length, 5), points };
}

describe("a lane", () => {
  const full = curveOf(0.2, 0.6, 0.4, 0.9, 0.7);
  const result = (curve: Curve) =>
    ({
      curve,
      decision: {
        ...verdictAt(curve, ({ p_person }) => p_person >= 0.6),
        type: "decision",
        frame_id: 0,
        compute_us: 1,
      },
    }) as FrameResult;

  it("re-evaluates its exit at once where no skip is met", () => {
    const lane = new LaneState("published", { exit_threshold: 0.6, skip_threshold: 0.1 }, null, 5, 5);
    lane.finish(result(full));
    lane.learn(full);
    lane.parameters.exit_threshold = 0.8;
    expect(lane.rerunPolicy()).toBeNull();
    lane.reevaluate();
    expect(lane.verdict).toMatchObject({ burst_index: 3 });
    expect(lane.curve.points).toHaveLength(4);
  });

  it("asks for a rerun without exit where the skip threshold is met", () => {
    const lane = new LaneState("published", { exit_threshold: 0.6, skip_threshold: 0.3 }, null, 5, 5);
    lane.learn(full);
    expect(lane.rerunPolicy()).toEqual({ name: "published", exit_threshold: 1, skip_threshold: 0.3 });
    lane.learnRerun(result(curveOf(0.2, 0.3, 0.7, 0.8, 0.9)));
    expect(lane.verdict).toMatchObject({ burst_index: 2 });
    expect(lane.rerunPolicy()).toBeNull();
  });

  it("reruns a policy that it does not know", () => {
    const lane = new LaneState("patience", { frames: 3 }, null, 5, 5);
    lane.learn(full);
    expect(lane.rerunPolicy()).toEqual({ name: "patience", frames: 3 });
  });

  it("of a certificate is told from the curve, and shows what came after its exit", () => {
    const certificate = { name: "calibrated", person_first: 1.2, person_last: 0.6, empty_first: 2, empty_last: 2 };
    const lane = new LaneState("calibrated", {}, certificate, 5, 5);
    lane.finish(result(curveOf(0.2, 0.6, 0.4, 0.9)));
    lane.learn(full);
    expect(lane.rerunPolicy()).toBeNull();
    lane.reevaluate();
    expect(lane.verdict).toMatchObject({ burst_index: 3, exited: true, person: true });
    expect(lane.beyond(full)).toEqual({ points: full.points, whole: false });
    expect(lane.lines.map(({ kind }) => kind)).toEqual(["exit", "empty"]);
  });

  it("shows the whole frame's curve under a policy without lines, too", () => {
    const lane = new LaneState("patience", { bursts: 2 }, null, 5, 5);
    lane.finish(result(curveOf(0.2, 0.6)));
    lane.learn(full);
    expect(lane.beyond(full).points).toEqual(full.points);
  });
});
