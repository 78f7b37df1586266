import { describe, expect, it } from "vitest";
import { amountWords, counted, probabilityWords, timeWords } from "../../src/view/words";

describe("words", () => {
  it("have three digits and a unit", () => {
    expect([999, 1000, 37_800, 999_600, 9.03e9].map((value) => amountWords(value, "B"))).toEqual([
      "999 B",
      "1.00 kB",
      "37.8 kB",
      "1.00 MB",
      "9.03 GB",
    ]);
    expect([0.0004, 3.21, 42, 1234, 20_000].map(timeWords)).toEqual(["0 µs", "3.21 ms", "42.0 ms", "1.23 s", "20.0 s"]);
    expect([counted(1, "exit"), counted(2, "exit")]).toEqual(["1 exit", "2 exits"]);
  });

  it("never call a probability certain that is not", () => {
    expect([0, 0.0004, 0.5, 0.9996, 1].map(probabilityWords)).toEqual([
      "0.000",
      "< 0.001",
      "0.500",
      "> 0.999",
      "1.000",
    ]);
  });
});
