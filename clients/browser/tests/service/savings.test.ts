import { describe, expect, it } from "vitest";
import { addSavings, savingsOf } from "../../src/service/savings";

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
