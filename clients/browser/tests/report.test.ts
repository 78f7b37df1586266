import { describe, expect, it } from "vitest";
import { bytesWords, decisionWords, detailWords, probabilityWords, savings, timeWords } from "../src/report";
import type { Decision, Welcome } from "../src/wire";

const welcome: Welcome = {
  type: "welcome",
  variant: "105x120",
  height: 105,
  width: 120,
  burst_rows: 5,
  bursts_per_frame: 21,
  policy: { name: "published" },
  progress_every: 1,
  weights: "ab",
  limits: {},
  pixel_format: "rgb8",
};
const exit: Decision = {
  type: "decision",
  frame_id: 0,
  burst_index: 8,
  p_person: 0.995,
  person: true,
  exited: true,
  processed: 8,
  skipped: 1,
  unread: 12,
};
const end: Decision = { ...exit, burst_index: 20, person: false, exited: false, processed: 20, unread: 0 };

describe("decisionWords", () => {
  it("says where a scan stopped", () => {
    expect(decisionWords(exit, welcome)).toBe("Person — decided after 45 of 105 rows (43 %)");
  });

  it("says that a frame was read to the end", () => {
    expect(decisionWords(end, welcome)).toBe("No person — read to the end");
  });
});

it("detailWords says what the decision rests on", () => {
  expect(detailWords(exit, welcome)).toBe(
    "P(person) came to 0.995; the remaining 60 rows are not needed; 1 of 21 bursts skipped.",
  );
  expect(detailWords({ ...end, skipped: 0 }, welcome)).toBe("P(person) came to 0.995 at the last row.");
});

describe("savings", () => {
  const message = 24 + 5 * 120 * 3;
  const result = { welcome, decision: exit, summary: null, burstsSent: 8, rowBytesSent: 8 * message, decisionMs: 452 };

  it("counts rows, bytes and time of a paced scan", () => {
    expect(savings(result, 10)).toMatchObject({
      rowsSent: 40,
      rows: 105,
      bytesSent: 8 * message,
      bytesSaved: 13 * message,
      processedRatio: 8 / 21,
      fullReadoutMs: 1050,
      fullReadoutEstimated: false,
    });
  });

  it("estimates the full readout where nothing paces it", () => {
    expect(savings({ ...result, decisionMs: 9 }, 0)).toMatchObject({ fullReadoutMs: 21, fullReadoutEstimated: true });
    expect(savings({ ...result, decision: end }, 0).fullReadoutEstimated).toBe(false);
  });
});

it("words for quantities", () => {
  expect(bytesWords(999)).toBe("999 B");
  expect(bytesWords(23_712)).toBe("23.7 kB");
  expect(timeWords(4.25)).toBe("4.3 ms");
  expect(timeWords(450)).toBe("450 ms");
  expect(timeWords(2100)).toBe("2.10 s");
  expect(probabilityWords(0.9996)).toBe("> 0.999");
  expect(probabilityWords(0.0001)).toBe("< 0.001");
  expect(probabilityWords(1)).toBe("1.000");
  expect(probabilityWords(0.625)).toBe("0.625");
});
