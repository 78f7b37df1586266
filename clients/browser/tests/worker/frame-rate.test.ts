import { describe, expect, it } from "vitest";
import { FrameRate } from "../../src/worker/frame-rate";

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
