import { describe, expect, it } from "vitest";
import { chipOf, totalsWords } from "../../src/view/results";

const decided = {
  kind: "decided",
  person: true,
  p_person: 0.9,
  exited: true,
  rows: 45,
  notNeeded: 0.571,
  agrees: true,
} as const;

describe("a picture's chip", () => {
  it("says the decision, where it was made, and how much was not needed", () => {
    expect(chipOf(decided).words).toBe("Person · row 45 · 57 % not needed");
    const whole = { ...decided, person: false, exited: false, notNeeded: 0, rows: 105 };
    expect(chipOf(whole).words).toBe("No person · read whole");
    expect(chipOf({ ...whole, notNeeded: 0.1 }).words).toBe("No person · 10 % not needed");
    expect(chipOf({ kind: "failed" })).toEqual({ words: "can’t be read", kind: "fault" });
  });
});

describe("the totals of one's own pictures", () => {
  const totals = { decided: 24, failed: 0, persons: 10, exits: 22, agreeing: 23, notNeeded: 0.37 };

  it("are a sentence", () => {
    expect(totalsWords(totals)).toBe(
      "24 pictures: 10 with a person, 22 exits, 37 % of the rows not needed on average; 23 of 24 as the whole frame says.",
    );
    expect(totalsWords({ ...totals, failed: 2 })).toContain("; 2 could not be read.");
    expect(totalsWords({ ...totals, decided: 0, failed: 2 })).toBe("No picture could be read, of 2.");
    expect(totalsWords({ ...totals, decided: 0 })).toBe("");
  });
});
