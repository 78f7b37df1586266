/**
 * Pixels to another size, bilinear with a support that grows with the reduction.
 *
 * The same arithmetic as Pillow's `Image.resize(..., BILINEAR)`, to the last bit, because the service's other doors use
 * that: one photo is one frame, whichever door it comes through. A canvas would leave the filter to the browser.
 */

const PRECISION = 2 ** 22;

interface Taps {
  first: number;
  /** Fixed point, `PRECISION` is 1. */
  weights: number[];
}

/** (height, width, channels) uint8 of `pixels` to (toHeight, toWidth, 3); channels past the third are left out. */
export function resize(
  pixels: Uint8Array | Uint8ClampedArray,
  height: number,
  width: number,
  channels: number,
  toHeight: number,
  toWidth: number,
): Uint8Array {
  const narrow = resizeAxis(pixels, taps(width, toWidth), height, [width * channels, channels], [toWidth * 3, 3]);
  return resizeAxis(narrow, taps(height, toHeight), toWidth, [3, toWidth * 3], [3, toWidth * 3]);
}

/** One axis; strides are (from line to line, from pixel to pixel along the axis). */
function resizeAxis(
  pixels: Uint8Array | Uint8ClampedArray,
  axis: Taps[],
  lines: number,
  [lineStride, stride]: [number, number],
  [toLineStride, toStride]: [number, number],
): Uint8Array {
  const out = new Uint8Array(lines * axis.length * 3);
  for (let line = 0; line < lines; line++) {
    axis.forEach(({ first, weights }, to) => {
      let red = PRECISION / 2;
      let green = PRECISION / 2;
      let blue = PRECISION / 2;
      let at = line * lineStride + first * stride;
      for (const weight of weights) {
        red += weight * (pixels[at] as number);
        green += weight * (pixels[at + 1] as number);
        blue += weight * (pixels[at + 2] as number);
        at += stride;
      }
      const target = line * toLineStride + to * toStride;
      out[target] = Math.min(255, Math.floor(red / PRECISION));
      out[target + 1] = Math.min(255, Math.floor(green / PRECISION));
      out[target + 2] = Math.min(255, Math.floor(blue / PRECISION));
    });
  }
  return out;
}

function taps(from: number, to: number): Taps[] {
  const scale = from / to;
  const support = Math.max(1, scale);
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support + 0.5));
    const end = Math.min(from, Math.floor(centre + support + 0.5));
    const weights = Array.from({ length: end - first }, (_, tap) =>
      Math.max(0, 1 - Math.abs((first + tap - centre + 0.5) / support)),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => Math.floor((weight / total) * PRECISION + 0.5)) };
  });
}
