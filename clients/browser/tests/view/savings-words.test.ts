import { describe, expect, it } from "vitest";
import { addSavings, NOTHING_SAVED, savingsOf } from "../../src/service/savings";
import { comparisonWords, everydayWords, totalWords } from "../../src/view/savings-words";

const cost = { burstsPerFrame: 21, burstRows: 5, rowBytes: 360, macsPerBurst: 1e6, lineTimeUs: 100 };
const whole = { burst_index: 20, p_person: 0.2, person: false, exited: false, processed: 21, skipped: 0, unread: 0 };
const early = { burst_index: 5, p_person: 0.9, person: true, exited: true, processed: 6, skipped: 0, unread: 15 };
const read = savingsOf(whole, cost, 105);
const exit = savingsOf(early, cost, 40);

describe("what was saved, in words", () => {
  it("is nothing where there was no exit", () => {
    expect(totalWords(NOTHING_SAVED)).toBe("Nothing streamed yet.");
    expect(totalWords(read)).toBe("1 frame, 0 with a person, 0 exits: 100 % of the rows sent; nothing saved.");
    expect(everydayWords(read)).toBe("A link of 1 Mbit/s carries 3.3 such frames a second.");
  });

  it("is a list where there was one", () => {
    expect(totalWords(addSavings(read, exit))).toBe(
      "2 frames, 1 with a person, 1 exit: 69 % of the rows sent; 23.4 kB, 15.0 M multiply-accumulates and 7.50 ms " +
        "of readout saved.",
    );
    expect(everydayWords(exit)).toBe("A link of 1 Mbit/s carries 8.7 such frames a second instead of 3.3 whole ones.");
    expect(everydayWords(NOTHING_SAVED)).toBe("");
  });

  it("compares two policies by the rows that they needed", () => {
    const [one, other] = [
      { name: "Calibrated", saved: exit },
      { name: "Never exit", saved: read },
    ];
    expect(comparisonWords([one, other])).toBe("Calibrated needed 30 rows, 71 % fewer than Never exit with 105.");
    expect(comparisonWords([other, one])).toBe(comparisonWords([one, other]));
    expect(comparisonWords([one, { ...one, name: "Other" }])).toContain("the same 30 rows");
    expect(comparisonWords([one])).toBe("");
  });
});
