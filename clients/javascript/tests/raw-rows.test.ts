import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { rgbRows } from "../src/raw-rows.js";
import { PIXEL_FORMATS, type PixelFormat } from "../src/wire.js";

/** What the service makes of rows of noise (tests/vectors/make_raw_rows.py). */
const vectors = JSON.parse(readFileSync(new URL("../../../tests/vectors/raw_rows.json", import.meta.url), "utf8")) as {
  pixel_format: PixelFormat;
  width: number;
  first_row: number;
  samples: string;
  rgb: string;
}[];

describe("rgbRows", () => {
  it("has vectors of every raw format", () => {
    const covered = new Set(vectors.map(({ pixel_format }) => pixel_format));
    expect([...covered]).toEqual(PIXEL_FORMATS.filter((format) => format !== "rgb8"));
  });

  it.each(vectors)(
    "$pixel_format, $width columns, from row $first_row",
    ({ pixel_format, width, first_row, samples, rgb }) => {
      const rows = new Uint8Array(Buffer.from(samples, "hex"));
      expect(Buffer.from(rgbRows(rows, pixel_format, width, first_row)).toString("hex")).toBe(rgb);
    },
  );

  it("leaves RGB as it is", () => {
    const rows = Uint8Array.of(1, 2, 3);
    expect(rgbRows(rows, "rgb8", 1, 0)).toBe(rows);
  });
});
