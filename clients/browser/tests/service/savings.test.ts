import { describe, expect, it } from "vitest";
import { addSavings, linkFrames, savingsOf } from "../../src/service/savings";

describe("savings", () => {
  const verdict = { burst_index: 4, p_person: 0.9, person: true, exited: true, processed: 4, skipped: 1, unread: 5 };
  const cost = { burstsPerFrame: 10, burstRows: 5, rowBytes: 20, macsPerBurst: 7, lineTimeUs: 200 };

  it("are those of the verdict, or of what went out", () => {
    const saved = savingsOf(verdict, cost);
    expect(saved).toMatchObject({ rowsSent: 20, rows: 50, bytesSent: 400, bytes: 1000, macs: 28, macsFull: 70 });
    expect(saved).toMatchObject({ readoutMs: 5, readoutFullMs: 10 });
    expect(savingsOf(verdict, cost, 30)).toMatchObject({ rowsSent: 30, rowsLate: 10, bytesSent: 600 });
    expect(addSavings(saved, saved)).toMatchObject({ frames: 2, exits: 2, rows: 100, macs: 56 });
  });

  it("are none where every row went out, however the rows shared their messages", () => {
    const whole = { burst_index: 9, p_person: 0.2, person: false, exited: false, processed: 10, skipped: 0, unread: 0 };
    const saved = savingsOf(whole, cost, 50);
    expect([saved.bytes - saved.bytesSent, saved.rowsLate, saved.exits]).toEqual([0, 0, 0]);
  });

  it("come to frames a second over a link", () => {
    const { whole, sent } = linkFrames(addSavings(savingsOf(verdict, cost), savingsOf(verdict, cost)));
    expect(whole).toBeCloseTo(1e6 / (50 * 20 * 8));
    expect(sent / whole).toBeCloseTo(50 / 20);
  });
});
