import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DEFAULT_HYSTERESIS, type Hysteresis, Presence } from "../src/presence.js";

describe("presence", () => {
  it("turns after three frames of one mind, and not in between", () => {
    const presence = new Presence();
    const turns = [0.9, 0.9, 0.5, 0.9, 0.9, 0.9, 0.5, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1].map((p) => presence.add(p));
    expect(turns.map((turn) => turn ?? "")).toEqual(["", "", "", "", "", "appeared", ...Array(6).fill(""), "left"]);
  });

  it.each([
    { enter: Number.NaN },
    { enter: 0.4 },
    { enter: 1.1 },
    { leave: -0.1 },
    { leave: undefined },
    { appearFrames: 0 },
    { leaveFrames: undefined },
  ])("refuses %j", (change) => {
    const asked = { ...DEFAULT_HYSTERESIS, ...change } as Hysteresis;
    expect(() => new Presence(asked)).toThrow(/^(hysteresis|counts of frames) must be/);
  });

  it("turns where Python does", () => {
    const file = new URL("../../../tests/vectors/presence.json", import.meta.url);
    const vectors = JSON.parse(readFileSync(file, "utf8"));
    expect(vectors.length).toBeGreaterThan(0);
    for (const { hysteresis, p_person, turns } of vectors) {
      const { enter, leave, appear_frames: appearFrames, leave_frames: leaveFrames } = hysteresis;
      const presence = new Presence({ enter, leave, appearFrames, leaveFrames });
      expect(p_person.map((p: number) => presence.add(p))).toEqual(turns);
      expect(turns).toContain("appeared");
      expect(turns).toContain("left");
    }
  });
});
