import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { resize } from "../src/resize.js";
import {
  boxOf,
  parseMasks,
  parseRegion,
  type Rectangle,
  type Shape,
  shapesText,
  shownPart,
  spansOf,
  WindowError,
} from "../src/window.js";

type Places = [number, number, number, number];

/** What sensor_sim/window.py makes of them (tests/vectors/make_window.py). */
const vectors = JSON.parse(readFileSync(new URL("../../../tests/vectors/window.json", import.meta.url), "utf8")) as {
  boxes: { rectangle: Places; size: [number, number]; box: Places }[];
  polygons: { polygon: number[]; size: [number, number]; sha256: string }[];
  frames: { region: Places | null; masks: number[][]; from: [number, number]; to: [number, number]; sha256: string }[];
};

const rectangleOf = ([x, y, width, height]: Places): Rectangle => ({ x, y, width, height });
const shapeOf = (places: number[]): Shape => parseMasks(places.join(","))[0] as Shape;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** One byte a pixel, 1 where a shape covers it. */
function covered(shape: Shape, height: number, width: number): Uint8Array {
  const pixels = new Uint8Array(height * width);
  for (const [row, left, right] of spansOf(shape, height, width))
    pixels.fill(1, row * width + left, row * width + right);
  return pixels;
}

const noise = (samples: number) =>
  Uint8Array.from({ length: samples }, (_, index) => Math.imul(index, 2654435761) >>> 24);

describe("window", () => {
  it("touches the pixels that Python's touches", () => {
    expect(vectors.boxes.length).toBeGreaterThan(100);
    for (const { rectangle, size, box } of vectors.boxes) {
      expect(boxOf(rectangleOf(rectangle), ...size), `${rectangle} of ${size}`).toEqual(box);
    }
  });

  it("covers with polygons the pixels that Python covers", () => {
    expect(vectors.polygons.length).toBeGreaterThan(50);
    for (const { polygon, size, sha256: expected } of vectors.polygons) {
      expect(sha256(covered(shapeOf(polygon), ...size)), `${polygon} of ${size}`).toBe(expected);
    }
  });

  it.each(vectors.frames)("shows the frame that Python's shows: $region behind $masks", (vector) => {
    const [height, width] = vector.from;
    const window = {
      region: vector.region === null ? null : rectangleOf(vector.region),
      masks: vector.masks.map(shapeOf),
    };
    const part = shownPart({ height, width, data: noise(height * width * 3) }, 3, window);
    const frame = resize(part.data, part.height, part.width, 3, ...vector.to);
    expect(sha256(frame)).toBe(vector.sha256);
  });

  it.each(["10, 15, 40, 50", "10, 15, 80, 20, 40, 90"])("shows nothing of a pixel masked by %s", (masks) => {
    const window = { region: { x: 20, y: 0, width: 60, height: 90 }, masks: parseMasks(masks) };
    const [height, width] = [23, 31];
    const hidden = covered(window.masks[0] as Shape, height, width);
    const picture = noise(height * width * 4);
    const other = picture.map((value, at) => (hidden[Math.floor(at / 4)] ? 255 - value : value));
    expect(other).not.toEqual(picture);
    const shown = (data: Uint8Array) => shownPart({ height, width, data }, 4, window);
    expect(shown(other)).toEqual(shown(picture));
  });

  it("reads areas, writes them again, and says which text is none", () => {
    const shapes = [
      { x: 0, y: 0, width: 30, height: 100 },
      {
        points: [
          [60, 10.5],
          [80, 10.5],
          [70, 90],
        ],
      },
    ];
    expect(parseMasks(" 0,0,30,100; 60, 10.5, 80, 10.5,70,90 ;")).toEqual(shapes);
    expect(shapesText(parseMasks("0,0,30,100;60,10.5,80,10.5,70,90"))).toBe("0,0,30,100; 60,10.5,80,10.5,70,90");
    expect(parseMasks(shapesText(parseMasks("1,2,3,4;5,6,7,8,9,10")))).toEqual(parseMasks("1,2,3,4;5,6,7,8,9,10"));
    expect(parseMasks("")).toEqual([]);
    const long = Array.from({ length: 2002 }, () => "1").join(",");
    for (const text of ["1,2,3", "1,2,3,4,5", "a,0,1,1", "0,,1,1", "0,0,0,5", "90,0,20,5", "-1,0,5,5"]) {
      expect(() => parseMasks(text)).toThrow(WindowError);
      expect(() => parseRegion(text)).toThrow(WindowError);
    }
    expect(() => parseMasks("0,0,101,0,50,50")).toThrow("leaves the picture");
    expect(() => parseMasks(long)).toThrow("at most 1000 corners, not 1001");
    expect(parseRegion("")).toBeNull();
    expect(parseRegion("1,2,3,4;")).toEqual({ x: 1, y: 2, width: 3, height: 4 });
    expect(() => parseRegion("1,2,3,4;1,2,3,4")).toThrow("not one x, y, width, height");
    expect(() => parseRegion("0,0,10,0,5,5")).toThrow("not one x, y, width, height");
  });
});
