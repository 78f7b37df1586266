import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { resize } from "../src/resize.js";

interface Vector {
  from: [number, number];
  to: [number, number];
  sha256: string;
  hex?: string;
}

/** What Pillow makes of pictures of noise (tests/vectors/make_resize.py). */
const vectors = JSON.parse(
  readFileSync(new URL("../../../tests/vectors/resize.json", import.meta.url), "utf8"),
) as Vector[];

const noise = (samples: number) =>
  Uint8Array.from({ length: samples }, (_, index) => Math.imul(index, 2654435761) >>> 24);

function withAlpha(rgb: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: (rgb.length / 3) * 4 }, (_, at) =>
    at % 4 === 3 ? 255 : (rgb[Math.floor(at / 4) * 3 + (at % 4)] as number),
  );
}

describe("resize", () => {
  it.each(vectors)("$from to $to as Pillow does", ({ from, to, sha256, hex }) => {
    const pixels = noise(from[0] * from[1] * 3);
    const resized = resize(pixels, ...from, 3, ...to);
    if (hex !== undefined) expect(Buffer.from(resized).toString("hex")).toBe(hex);
    expect(createHash("sha256").update(resized).digest("hex")).toBe(sha256);
    expect(resize(withAlpha(pixels), ...from, 4, ...to)).toEqual(resized);
  });
});
