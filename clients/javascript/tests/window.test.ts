import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { resize } from "../src/resize.js";
import { boxOf, parseRectangles, type Rectangle, shownPart, WindowError } from "../src/window.js";

type Places = [number, number, number, number];

/** What sensor_sim/window.py makes of them (tests/vectors/make_window.py). */
const vectors = JSON.parse(readFileSync(new URL("../../../tests/vectors/window.json", import.meta.url), "utf8")) as {
  boxes: { rectangle: Places; size: [number, number]; box: Places }[];
  frames: { region: Places | null; masks: Places[]; from: [number, number]; to: [number, number]; sha256: string }[];
};

const rectangleOf = ([x, y, width, height]: Places): Rectangle => ({ x, y, width, height });

const noise = (samples: number) =>
  Uint8Array.from({ length: samples }, (_, index) => Math.imul(index, 2654435761) >>> 24);

describe("window", () => {
  it("touches the pixels that Python's touches", () => {
    expect(vectors.boxes.length).toBeGreaterThan(100);
    for (const { rectangle, size, box } of vectors.boxes) {
      expect(boxOf(rectangleOf(rectangle), ...size), `${rectangle} of ${size}`).toEqual(box);
    }
  });

  it.each(vectors.frames)("shows the frame that Python's shows: $region behind $masks", (vector) => {
    const [height, width] = vector.from;
    const window = {
      region: vector.region === null ? null : rectangleOf(vector.region),
      masks: vector.masks.map(rectangleOf),
    };
    const part = shownPart({ height, width, data: noise(height * width * 3) }, 3, window);
    const frame = resize(part.data, part.height, part.width, 3, ...vector.to);
    expect(createHash("sha256").update(frame).digest("hex")).toBe(vector.sha256);
  });

  it("shows nothing of a masked pixel", () => {
    const window = { region: { x: 20, y: 0, width: 60, height: 90 }, masks: [{ x: 10, y: 15, width: 40, height: 50 }] };
    const [height, width] = [23, 31];
    const [left, upper, right, lower] = boxOf(window.masks[0] as Rectangle, height, width);
    const picture = noise(height * width * 4);
    const other = Uint8Array.from(picture, (value, at) => {
      const [row, column] = [Math.floor(at / 4 / width), Math.floor(at / 4) % width];
      return row >= upper && row < lower && column >= left && column < right ? 255 - value : value;
    });
    expect(other).not.toEqual(picture);
    const shown = (data: Uint8Array) => shownPart({ height, width, data }, 4, window);
    expect(shown(other)).toEqual(shown(picture));
  });

  it("reads rectangles, and says which text is none", () => {
    expect(parseRectangles(" 0,0,30,100; 60, 10.5, 20, 20 ;")).toEqual([
      { x: 0, y: 0, width: 30, height: 100 },
      { x: 60, y: 10.5, width: 20, height: 20 },
    ]);
    expect(parseRectangles("")).toEqual([]);
    for (const text of ["1,2,3", "a,0,1,1", "0,,1,1", "0,0,0,5", "90,0,20,5", "-1,0,5,5"]) {
      expect(() => parseRectangles(text)).toThrow(WindowError);
    }
  });
});
