import { exitLines } from "rascanet-stream";
import { describe, expect, it } from "vitest";
import { legendOf } from "../../src/view/legend";

const certificate = { person_first: 0.95, person_last: 0.55, empty_first: 1.35, empty_last: 0.6 };
const words = (...all: Parameters<typeof legendOf>) => legendOf(...all).map(({ words, value }) => `${words} ${value}`);

describe("the legend of a plot", () => {
  it("says where a certificate's lines begin and end, and from where on nobody can be decided", () => {
    expect(words(exitLines(certificate), { p_person: 0.94, confidence: 0.9 }, 0.978, false)).toEqual([
      "P(person) 0.940",
      "confidence that the decision stays 0.900",
      "had it been read on 0.978",
      "exit: person, at or above 0.95 → 0.55",
      "exit: no person, at or below 0 → 0.4, from 47 % of the rows on",
    ]);
  });

  it("has nothing beyond where nothing was left out, and says where skips make another frame of it", () => {
    expect(words([], undefined, null, false)).toEqual(["P(person) –", "confidence that the decision stays –"]);
    expect(words([], undefined, 0.4, true)).toContain("had every row been read 0.400");
  });

  it("says that a line is never reached", () => {
    const never = exitLines({ ...certificate, person_first: 2, person_last: 1.5 });
    expect(words(never, undefined, null, false)).toContain("exit: person, at or above never");
  });
});
