import { describe, expect, it } from "vitest";
import { TOUR_ROUNDS, Tour } from "../../src/desks/tour";

describe("the tour", () => {
  it("goes round in order, and rests after its rounds", () => {
    const tour = new Tour(["a", "b"]);
    const seen = Array.from({ length: 2 * TOUR_ROUNDS + 2 }, () => tour.next());
    expect(seen.slice(0, 3)).toEqual(["a", "b", "a"]);
    expect(seen.slice(-3)).toEqual(["b", undefined, undefined]);
  });

  it("ends with the first choice", () => {
    const tour = new Tour(["a"]);
    expect([tour.next(), tour.going]).toEqual(["a", true]);
    tour.end();
    expect([tour.next(), tour.going]).toEqual([undefined, false]);
  });

  it("shows nothing where there is nothing", () => {
    expect(new Tour([]).next()).toBeUndefined();
  });
});
