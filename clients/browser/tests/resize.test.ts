import { describe, expect, it } from "vitest";
import { resize } from "../src/resize";

const ramp = (length: number, step: number) => Uint8Array.from({ length }, (_, index) => (index * step) % 256);

describe("resize", () => {
  // PIL.Image.fromarray(...).resize((4, 3), BILINEAR) and ((5, 3), BILINEAR) of the same ramps.
  it("reduces as Pillow does", () => {
    expect([...resize(ramp(5 * 7 * 3, 37), 5, 7, 3, 3, 4)]).toEqual([
      62, 87, 124, 163, 67, 104, 132, 169, 73, 112, 149, 174, 76, 101, 138, 177, 81, 118, 146, 183, 87, 126, 163, 188,
      83, 115, 152, 115, 95, 132, 160, 121, 101, 140, 170, 126,
    ]);
  });

  it("enlarges as Pillow does", () => {
    expect([...resize(ramp(2 * 2 * 3, 53), 2, 2, 3, 3, 5)]).toEqual([
      0, 53, 106, 16, 69, 96, 80, 133, 58, 143, 196, 19, 159, 212, 9, 31, 84, 137, 47, 87, 127, 111, 100, 89, 174, 112,
      50, 190, 115, 40, 62, 115, 168, 78, 105, 158, 142, 67, 120, 205, 28, 81, 221, 18, 71,
    ]);
  });

  it("leaves out the alpha channel", () => {
    expect([...resize(Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 255), 1, 2, 4, 1, 2)]).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
