import { describe, expect, it } from "vitest";
import {
  addPoint,
  type Curve,
  curvesCsv,
  emptyCurve,
  meetsSkip,
  type Point,
  verdictAt,
  verdictRows,
} from "../src/curve.js";

function curveOf(...values: number[]): Curve {
  const points = values.map((p_person, burst) => ({ burst, p_person, confidence: 0.9 }));
  return { ...emptyCurve(values.length, 5), points };
}

const from = (threshold: number) => (point: Point) => point.p_person >= threshold;

describe("a verdict from a curve without exit", () => {
  const curve = curveOf(0.2, 0.6, 0.4, 0.9, 0.7);

  it("exits at the first burst that reaches the threshold", () => {
    expect(verdictAt(curve, from(0.6))).toMatchObject({
      burst_index: 1,
      exited: true,
      processed: 2,
      unread: 3,
      person: true,
    });
    expect(verdictAt(curve, from(0.61))).toMatchObject({ burst_index: 3, exited: true, processed: 4, unread: 1 });
    expect(verdictRows(curve, verdictAt(curve, from(0.6)))).toBe(10);
  });

  it("reads to the end where none does, and never exits at the last burst", () => {
    expect(verdictAt(curve, from(0.95))).toMatchObject({ burst_index: 4, exited: false, processed: 5, unread: 0 });
    expect(verdictAt(curveOf(0.1, 0.9), from(0.5))).toMatchObject({ exited: false, burst_index: 1 });
  });

  it("counts the skips before the exit alone", () => {
    const [first, , third, fourth, fifth] = curve.points as [never, never, never, never, never];
    const skipping: Curve = { ...curve, points: [first, third, fourth, fifth], skipped: [1] };
    expect(verdictAt(skipping, from(0.9))).toMatchObject({ burst_index: 3, processed: 3, skipped: 1, unread: 1 });
    expect(verdictAt(skipping, from(0.1))).toMatchObject({ burst_index: 0, processed: 1, skipped: 0, unread: 4 });
  });

  it("moves monotonically: a higher threshold never exits earlier", () => {
    let last = 0;
    for (let exit = 0; exit <= 1; exit += 0.01) {
      const { processed } = verdictAt(curve, from(exit));
      expect(processed).toBeGreaterThanOrEqual(last);
      last = processed;
    }
  });

  it("says when a skip would change the hidden state", () => {
    expect(meetsSkip(curve, 0.2)).toBe(true);
    expect(meetsSkip(curve, 0.1)).toBe(false);
    expect(meetsSkip(curveOf(0.9, 0.1), 0.1)).toBe(false); // there is nothing to skip after the last
  });
});

describe("points", () => {
  it("replace those of before a reconnection and stay in order", () => {
    const curve = curveOf(0.1, 0.2, 0.3);
    addPoint(curve, { burst: 1, p_person: 0.5, confidence: 0 });
    expect(curve.points.map(({ p_person }) => p_person)).toEqual([0.1, 0.5, 0.3]);
  });

  it("become lines of CSV, one a policy and burst", () => {
    const curve = { ...curveOf(0.1, 0.2), burstsPerFrame: 4, skipped: [2] };
    const lines = curvesCsv([
      { policy: "published", curve },
      { policy: "never", curve },
    ])
      .trimEnd()
      .split("\n");
    expect(lines).toHaveLength(9);
    expect(lines[2]).toBe("published,1,10,processed,0.2,0.9");
    expect(lines[3]).toBe("published,2,15,skipped,,");
    expect(lines[8]).toBe("never,3,20,unread,,");
  });
});
