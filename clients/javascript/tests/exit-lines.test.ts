import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { exitLines, exitsAt, toldByLines } from "../src/exit-lines.js";

interface Vector {
  policy: { name: string } & Record<string, number | string>;
  bursts_per_frame: number;
  cases: { burst: number; p_person: number; verdict: "exit" | "skip_next" | "continue" }[];
}

const file = new URL("../../../tests/vectors/exit_lines.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vector[];

describe("exit lines", () => {
  it("are reached where Python's policies exit and skip", () => {
    expect(vectors.length).toBeGreaterThan(0);
    const seen = new Set<string>();
    for (const { policy, bursts_per_frame: bursts, cases } of vectors) {
      const lines = exitLines(policy);
      const skip = lines.find(({ kind }) => kind === "skip");
      for (const { burst, p_person, verdict } of cases) {
        const exits = exitsAt(lines, { burst, p_person, confidence: 1 }, bursts);
        const skips = skip?.met(p_person, (burst + 1) / bursts) ?? false;
        expect(exits ? "exit" : skips ? "skip_next" : "continue").toBe(verdict);
        seen.add(verdict);
      }
      expect(toldByLines(policy.name)).toBe(true);
    }
    expect(seen).toEqual(new Set(["exit", "skip_next", "continue"]));
  });

  it("of a certificate fall over the rows, and are none where nothing is asked for", () => {
    const certificate = { person_first: 0.95, person_last: 0.55, empty_first: 1.35, empty_last: 0.6 };
    const [person, empty] = exitLines({ name: "calibrated", risk: 0.05, ...certificate });
    expect(person?.kind).toBe("exit");
    expect([person?.at(0), person?.at(1)]).toEqual([0.95, 0.55]);
    expect(empty?.kind).toBe("empty");
    expect(empty?.at(0)).toBeCloseTo(-0.35);
    expect(empty?.at(1)).toBeCloseTo(0.4);
    expect([person?.parameter, empty?.parameter]).toEqual([null, null]);
    expect(exitLines({ bursts: 6, from_share: 0.3 })).toEqual([]);
  });
});
