import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FrameRate } from "../src/frame-rate";
import { histogram, LatencyLog, MAX_SAMPLES, quantiles } from "../src/latency";
import { Presence } from "../src/presence";
import { addSavings, savingsOf } from "../src/savings";
import { amountWords, counted, probabilityWords, timeWords } from "../src/words";

describe("latency", () => {
  it("has quantiles by the nearest rank", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantiles(values)).toEqual({ count: 100, p50: 50, p95: 95, p99: 99 });
    expect(quantiles([])).toEqual({ count: 0, p50: 0, p95: 0, p99: 0 });
  });

  it("falls into bins that hold every value", () => {
    for (const values of [[1], [0.1, 0.2, 5], Array.from({ length: 500 }, (_, index) => index ** 1.5)]) {
      const bins = histogram(values);
      expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
      expect(bins.length).toBeLessThanOrEqual(26);
    }
  });

  it("keeps a bounded number of frames", () => {
    const log = new LatencyLog();
    for (let index = 0; index < MAX_SAMPLES + 5; index++) log.add({ readout: index, compute: 0, rest: 0 });
    expect(log.all).toHaveLength(MAX_SAMPLES);
    expect(log.values("total").at(-1)).toBe(MAX_SAMPLES + 4);
  });
});

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

describe("frame rate", () => {
  it("accounts for every frame", () => {
    const rate = new FrameRate();
    for (let index = 0; index < 31; index++) {
      rate.capture(index * 100);
      if (index % 10 === 5) rate.drop();
      else rate.read(index * 100);
    }
    const report = rate.report(7);
    expect(report).toMatchObject({ captured: 31, read: 28, dropped: 3, intervalP50Ms: 100, bufferedPeakBytes: 7 });
    expect(report.framesPerSecond).toBeCloseTo(9, 1);
  });
});

describe("savings", () => {
  const verdict = { burst_index: 4, p_person: 0.9, person: true, exited: true, processed: 4, skipped: 1, unread: 5 };
  const cost = { burstsPerFrame: 10, burstRows: 5, burstBytes: 100, macsPerBurst: 7, lineTimeUs: 200 };

  it("are those of the verdict, or of what went out", () => {
    const saved = savingsOf(verdict, cost);
    expect(saved).toMatchObject({ rowsSent: 20, rows: 50, bytesSent: 400, bytes: 1000, macs: 28, macsFull: 70 });
    expect(saved).toMatchObject({ readoutMs: 5, readoutFullMs: 10 });
    expect(savingsOf(verdict, cost, { rows: 30, bytes: 600 })).toMatchObject({ rowsSent: 30, bytesSent: 600 });
    expect(addSavings(saved, saved)).toMatchObject({ frames: 2, exits: 2, rows: 100, macs: 56 });
  });
});

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
