/**
 * Rows of raw formats to rows of RGB. model/preprocess.py says how, and `tests/vectors/raw_rows.json` holds the two
 * together.
 */

import type { PixelFormat } from "./wire.js";

/**
 * Fills a mosaic in bilinearly: each missing colour is the mean, rounded half up, of the two or four nearest samples of
 * that colour. Columns beyond the edge are mirrored.
 *
 * `rows`: `mono8` (n, width); `bayer_*` (1 + n + 1, width), the first and last row being the halo. `firstRow`: place in the
 * frame of the first of the n rows. Returns (n, width, 3); RGB rows come back as they are.
 */
export function rgbRows(rows: Uint8Array, format: PixelFormat, width: number, firstRow: number): Uint8Array {
  if (format === "rgb8") return rows;
  if (format === "mono8") return Uint8Array.from({ length: rows.length * 3 }, (_, at) => rows[Math.trunc(at / 3)] ?? 0);
  const height = rows.length / width - 2;
  const colours = [...format.slice("bayer_".length, "bayer_".length + 4)].map((letter) => "rgb".indexOf(letter));
  const rgb = new Uint8Array(height * width * 3);
  for (let row = 0; row < height; row++) {
    const line = 2 * ((firstRow + row) % 2);
    const [above, here, below] = [row * width, (row + 1) * width, (row + 2) * width];
    for (let column = 0; column < width; column++) {
      const left = column === 0 ? 1 : column - 1;
      const right = column === width - 1 ? width - 2 : column + 1;
      const at = (start: number, place: number) => rows[start + place] as number;
      const vertical = at(above, column) + at(below, column);
      const horizontal = at(here, left) + at(here, right);
      const colour = colours[line + (column % 2)] as number;
      const neighbour = colours[line + 1 - (column % 2)] as number;
      const target = (row * width + column) * 3;
      rgb[target + colour] = at(here, column);
      if (colour === 1) {
        rgb[target + neighbour] = (2 * horizontal + 2) >> 2;
        rgb[target + 2 - neighbour] = (2 * vertical + 2) >> 2;
      } else {
        const diagonal = at(above, left) + at(above, right) + at(below, left) + at(below, right);
        rgb[target + 1] = (vertical + horizontal + 2) >> 2;
        rgb[target + 2 - colour] = (diagonal + 2) >> 2;
      }
    }
  }
  return rgb;
}
