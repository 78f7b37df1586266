import { describe, expect, it } from "vitest";
import {
  abilities,
  EMPTY,
  next,
  type Phase,
  type ScanEvent,
  ScanLifeError,
  type ScanState,
} from "../../src/desks/scan-life";

const PHASES: Phase[] = ["empty", "opening", "reading", "decided"];
const EVENTS: ScanEvent[] = ["open", "fail", "expose", "start", "decide", "pause", "go", "clear"];
const live = (...events: ScanEvent[]) => events.reduce(next, EMPTY);

/** Every state that any events can lead to. */
function reachable(): ScanState[] {
  const found = new Map([[JSON.stringify(EMPTY), EMPTY]]);
  for (const state of found.values()) {
    for (const event of EVENTS) {
      try {
        const after = next(state, event);
        found.set(JSON.stringify(after), after);
      } catch (error) {
        expect(error).toBeInstanceOf(ScanLifeError);
      }
    }
  }
  return [...found.values()];
}

describe("the life of a scan", () => {
  it("goes from empty to decided", () => {
    const phases = ["open", "expose", "start", "decide"] as const;
    expect(phases.map((_, index) => live(...phases.slice(0, index + 1)).phase)).toEqual([
      "opening",
      "opening",
      "reading",
      "decided",
    ]);
  });

  it("opens another picture, and is cleared, from every state", () => {
    for (const state of reachable()) {
      expect(next(state, "open")).toMatchObject({ phase: "opening", paused: false });
      expect(next(state, "clear")).toEqual(EMPTY);
    }
  });

  it("reaches every phase, and shows a frame wherever it is decided", () => {
    const states = reachable();
    expect(new Set(states.map(({ phase }) => phase))).toEqual(new Set(PHASES));
    for (const { phase, shown } of states) if (phase === "decided") expect(shown).toBe(true);
  });

  it("keeps the decided frame when the next file is no picture", () => {
    const decided = live("open", "expose", "start", "decide");
    expect(next(next(decided, "open"), "fail")).toEqual(decided);
    expect(live("open", "fail")).toEqual(EMPTY);
  });

  it("shows nothing decided once the next frame is there", () => {
    const decided = live("open", "expose", "start", "decide");
    const failed = (["open", "expose", "start", "fail"] as const).reduce(next, decided);
    expect(failed).toEqual(EMPTY);
  });

  it("refuses what can't come, and says so", () => {
    expect(() => next(EMPTY, "decide")).toThrow("a scan that is empty can't decide");
    expect(() => live("open", "expose", "start", "decide", "pause")).toThrow(ScanLifeError);
  });

  it("pauses before its first burst, and goes on", () => {
    expect(live("open", "pause", "expose", "start")).toMatchObject({ phase: "reading", paused: true });
    expect(live("open", "pause", "expose", "start", "go")).toMatchObject({ phase: "reading", paused: false });
  });
});

describe("what can be done", () => {
  it("is a step from the start, a pause while reading, winding once decided", () => {
    expect(abilities(EMPTY, false, false)).toMatchObject({
      step: false,
      pauseEnabled: false,
      wind: false,
      stop: false,
    });
    expect(abilities(EMPTY, false, true)).toMatchObject({ step: true });
    const reading = live("open", "expose", "start");
    expect(abilities(reading, false, true)).toMatchObject({ pause: "Pause", pauseEnabled: true, stop: true });
    expect(abilities(next(reading, "pause"), false, true)).toMatchObject({ pause: "Go on", stop: false });
    const decided = next(reading, "decide");
    expect(abilities(decided, false, true)).toMatchObject({ pause: "Play", wind: true, save: true, stop: false });
    expect(abilities(decided, true, true)).toMatchObject({ pause: "Pause" });
  });
});
