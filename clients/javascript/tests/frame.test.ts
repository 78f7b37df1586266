import { describe, expect, it } from "vitest";
import { checkFrame, type Frame, frameOf, rgbaOf, rowsOfBursts } from "../src/frame.js";
import { readRecording } from "../src/recording.js";

const grey: Frame = {
  height: 10,
  width: 2,
  format: "bayer_rggb8",
  samples: Uint8Array.from({ length: 20 }, (_, index) => Math.floor(index / 2)),
};

describe("rows of bursts", () => {
  it("carry a mosaic's halo, mirrored at the edges", () => {
    const rows = (first: number, bursts: number) => [...rowsOfBursts(grey, first, bursts, 5)].filter((_, at) => at % 2);
    expect(rows(0, 1)).toEqual([1, 0, 1, 2, 3, 4, 5]);
    expect(rows(1, 1)).toEqual([4, 5, 6, 7, 8, 9, 8]);
    expect(rows(0, 2)).toEqual([1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8]);
  });

  it("are a view of an RGB frame", () => {
    const frame: Frame = { height: 10, width: 1, format: "rgb8", samples: new Uint8Array(30).map((_, at) => at) };
    expect([...rowsOfBursts(frame, 1, 1, 5)]).toEqual([...frame.samples.subarray(15)]);
    expect([...rgbaOf(frame).subarray(0, 8)]).toEqual([0, 1, 2, 255, 3, 4, 5, 255]);
    expect([...rgbaOf(grey).subarray(16, 20)]).toEqual([2, 2, 2, 255]);
  });
});

describe("a recording", () => {
  it("is refused where it is none, or truncated", () => {
    expect(() => readRecording(new TextEncoder().encode("something"))).toThrow("does not begin with RSCNREC1");
    expect(() => readRecording(new TextEncoder().encode("RSCNREC1"))).toThrow("truncated in record 0 at byte 8");
  });
});

describe("frameOf", () => {
  it("takes what a canvas shows, and remembers its shape", () => {
    const data = Uint8ClampedArray.from({ length: 2 * 4 * 4 }, (_, at) => (at % 4 === 3 ? 0 : 90));
    const made = frameOf({ height: 2, width: 4, data }, { height: 5, width: 5 });
    expect(made).toMatchObject({ height: 5, width: 5, format: "rgb8", aspect: 2 });
    expect([...new Set(made.samples)]).toEqual([90]);
    expect(made.samples).toHaveLength(75);
  });

  it.each([
    [0, 0, 0],
    [10, 10, 300],
    [10, 10, 3],
  ])("refuses %d x %d pixels of %d samples", (height, width, samples) => {
    const attempt = () => frameOf({ height, width, data: new Uint8Array(samples) }, { height: 5, width: 5 });
    expect(attempt).toThrow(RangeError);
    expect(attempt).toThrow(`${height} x ${width} pixels has ${samples} samples`);
  });
});

describe("checkFrame", () => {
  const good = { height: 10, width: 2, format: "rgb8", samples: new Uint8Array(60) } as const;

  it("takes frames of every format", () => {
    checkFrame(good, { height: 10, width: 2 }, "rgb8");
    checkFrame(grey, { height: 10, width: 2 });
  });

  it.each([
    [{ height: 5 }, "10 x 2 pixels, not 5 x 2"],
    [{ format: "rgba8" }, "format must be rgb8, mono8, bayer_rggb8, bayer_bggr8, bayer_grbg8, bayer_gbrg8, not rgba8"],
    [{ samples: new Uint8Array(59) }, "in rgb8 has 60 samples, not 59"],
    [{ samples: new Uint8Array(80) }, "not 80; frameOf makes a frame of a canvas's pixels"],
    [{ samples: new Float32Array(60) }, "must be a Uint8Array"],
  ])("refuses %j", (change, words) => {
    expect(() => checkFrame({ ...good, ...change } as unknown as Frame, good)).toThrow(words);
  });

  it("holds a frame to the format of its stream", () => {
    expect(() => checkFrame(good, good, "mono8")).toThrow("format must be mono8, not rgb8");
  });
});
