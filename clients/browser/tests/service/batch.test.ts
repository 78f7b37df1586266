import { describe, expect, it } from "vitest";
import { Batch, type Decided } from "../../src/service/batch";

const decided = (change: Partial<Decided> = {}): Decided => ({
  kind: "decided",
  person: true,
  p_person: 0.9,
  exited: true,
  rows: 45,
  notNeeded: 0.5,
  agrees: true,
  ...change,
});

describe("a batch", () => {
  it("hands out its pictures in order, each once", () => {
    const batch = new Batch<string>();
    batch.begin(["a", "b"]);
    expect([batch.next(), batch.left, batch.next(), batch.next()]).toEqual(["a", 1, "b", undefined]);
    batch.begin(["c", "d"]);
    batch.stop();
    expect(batch.next()).toBeUndefined();
  });

  it("sums up what was decided, and counts what could not be", () => {
    const batch = new Batch<string>();
    expect(Batch.totals(batch.results.values())).toMatchObject({ decided: 0, notNeeded: 0 });
    batch.add("a", decided());
    batch.add("b", decided({ person: false, exited: false, notNeeded: 0, agrees: false }));
    batch.add("c", { kind: "failed" });
    expect(Batch.totals(batch.results.values())).toEqual({
      decided: 2,
      failed: 1,
      persons: 1,
      exits: 1,
      agreeing: 1,
      notNeeded: 0.25,
    });
  });

  it("keeps a picture's latest result alone, and none of other settings", () => {
    const batch = new Batch<string>();
    batch.add("a", decided());
    batch.add("b", decided());
    batch.add("a", decided({ person: false }));
    expect(Batch.totals(batch.results.values())).toMatchObject({ decided: 2, persons: 1 });
    expect([...batch.results.keys()]).toEqual(["b", "a"]);
    batch.forget();
    expect(batch.results.size).toBe(0);
  });
});
