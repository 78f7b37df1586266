import { describe, expect, it } from "vitest";
import { LatencyLog, MAX_SAMPLES } from "../../src/service/latency";

describe("latency", () => {
  it("keeps a bounded number of frames", () => {
    const log = new LatencyLog();
    for (let index = 0; index < MAX_SAMPLES + 5; index++) log.add({ readout: index, compute: 0, rest: 0 });
    expect(log.all).toHaveLength(MAX_SAMPLES);
    expect(log.values("total").at(-1)).toBe(MAX_SAMPLES + 4);
  });
});
