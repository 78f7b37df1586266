import { describe, expect, it } from "vitest";
import { Playhead } from "../../src/desks/playhead";

describe("a playhead", () => {
  it("shows a burst row by row, and never further than it", () => {
    const head = new Playhead();
    head.begin(1000);
    head.follow(1020, 10, 5, 20);
    expect(head.rows).toBe(2);
    head.follow(1900, 10, 5, 20);
    expect(head.rows).toBe(5);
    head.heard(5, 2000);
    head.follow(2010, 10, 5, 20);
    expect(head.rows).toBe(6);
    head.heard(20, 2100);
    head.follow(9999, 10, 5, 20);
    expect(head.rows).toBe(20);
  });

  it("does not go back when bursts come again after a reconnection", () => {
    const head = new Playhead();
    head.begin(0);
    head.heard(10, 100);
    head.heard(5, 200);
    head.follow(200, 10, 5, 20);
    expect(head.rows).toBe(10);
  });

  it("stands still while held, and goes on from there", () => {
    const head = new Playhead();
    head.begin(0);
    head.follow(30, 10, 5, 20);
    head.hold(30);
    head.follow(90, Number.POSITIVE_INFINITY, 5, 20);
    expect(head.rows).toBe(3);
    head.heard(3, 500);
    head.follow(510, 10, 5, 20);
    expect(head.rows).toBe(4);
  });

  it("replays to the end, once", () => {
    const head = new Playhead();
    head.replay(5, 0);
    expect(head.replaying).toBe(true);
    expect(head.advance(50, 10, 15)).toBe(true);
    expect(head.rows).toBe(10);
    expect(head.advance(500, 10, 15)).toBe(false);
    expect(head.rows).toBe(15);
    expect(head.replaying).toBe(false);
    expect(head.advance(600, 10, 15)).toBe(false);
  });

  it("shows what is sought, and forgets a replay for it", () => {
    const head = new Playhead();
    head.replay(0, 0);
    head.seek(10);
    expect(head.replaying).toBe(false);
    expect(head.rows).toBe(10);
  });
});
