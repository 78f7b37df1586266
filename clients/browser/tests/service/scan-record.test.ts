import { curvesCsv, type Decision, emptyCurve } from "rascanet-stream";
import { describe, expect, it } from "vitest";
import { scanRecord } from "../../src/service/scan-record";

const decision: Decision = {
  type: "decision",
  frame_id: 3,
  burst_index: 4,
  p_person: 0.9,
  person: true,
  exited: true,
  processed: 5,
  skipped: 0,
  unread: 16,
  compute_us: 40,
  credits: 512,
  token: "v1.c2VjcmV0",
  certificate: "ab12",
};
const curve = { ...emptyCurve(21, 5), points: [{ burst: 0, p_person: 0.4, confidence: 0.8 }] };
const lanes = [{ policy: "published", parameters: { exit_threshold: 0.9 }, curve, verdict: decision }];
const scan = { picture: "street", variant: "105x120", weights: "26078dea", lineTimeUs: 125, lanes };

describe("a scan's record", () => {
  it("has what was decided and on what", () => {
    expect(scanRecord(scan)).toMatchObject({
      weights: "26078dea",
      curves: [
        { policy: { name: "published", exit_threshold: 0.9 }, decision: { burst_index: 4, certificate: "ab12" } },
      ],
    });
  });

  it("has nothing that lets a reader go on with the stream, nor do the other files", () => {
    for (const text of [JSON.stringify(scanRecord(scan)), curvesCsv(lanes)]) {
      expect(text).not.toMatch(/token|credit|bearer|c2VjcmV0/i);
    }
  });

  it("of a frame without a decision has none", () => {
    const open = { ...scan, lanes: [{ ...scan.lanes[0], policy: "never", parameters: {}, curve, verdict: null }] };
    expect(scanRecord(open)).toMatchObject({ curves: [{ decision: null }] });
  });
});
