import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Presence } from "../src/presence.js";

describe("presence", () => {
  it("turns after three frames of one mind, and not in between", () => {
    const presence = new Presence();
    const turns = [0.9, 0.9, 0.5, 0.9, 0.9, 0.9, 0.5, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1].map((p) => presence.add(p));
    expect(turns.map((turn) => turn ?? "")).toEqual(["", "", "", "", "", "appeared", ...Array(6).fill(""), "left"]);
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
