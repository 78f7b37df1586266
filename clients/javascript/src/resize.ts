/**
 * Pixels to another size, bilinear with a support that grows with the reduction.
 *
 * The same arithmetic as Pillow's `Image.resize(..., BILINEAR)`, to the last bit, because the service's other doors use
 * that: one photo is one frame, whichever door it comes through. A canvas would leave the filter to the browser.
 * `tests/vectors/resize.json` holds both together.
 */

const PRECISION_BITS = 22;

/** What each output pixel is made of: `weights` in fixed point, `size` of them a pixel, the unused ones 0. */
interface Taps {
  first: Int32Array;
  weights: Int32Array;
  size: number;
}

/** (height, width, channels) uint8 of `pixels` to (toHeight, toWidth, 3); channels past the third are left out. */
export function resize(
  pixels: Uint8Array | Uint8ClampedArray,
  height: number,
  width: number,
  channels: number,
  toHeight: number,
  toWidth: number,
): Uint8Array<ArrayBuffer> {
  const across = taps(width, toWidth);
  const down = taps(height, toHeight);
  // Each pass rounds to 8 bits, so their order counts; this is the rule that Pillow 13 takes.
  if (height > toHeight && height - toHeight > 2 * (width - toWidth)) {
    const low = resizeAxis(pixels, down, width, [channels, width * channels], [3, width * 3]);
    return resizeAxis(low, across, toHeight, [width * 3, 3], [toWidth * 3, 3]);
  }
  const narrow = resizeAxis(pixels, across, height, [width * channels, channels], [toWidth * 3, 3]);
  return resizeAxis(narrow, down, toWidth, [3, toWidth * 3], [3, toWidth * 3]);
}

/** One axis; strides are (from line to line, from pixel to pixel along the axis). */
function resizeAxis(
  pixels: Uint8Array | Uint8ClampedArray,
  { first, weights, size }: Taps,
  lines: number,
  [lineStride, stride]: [number, number],
  [toLineStride, toStride]: [number, number],
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(lines * first.length * 3);
  const half = 1 << (PRECISION_BITS - 1);
  const last = pixels.length - 3;
  for (let line = 0; line < lines; line++) {
    for (let to = 0; to < first.length; to++) {
      // Weights add up to 1 at most a few units over it, so 32 bits hold a sum: 255 x 2^22 < 2^30.
      let red = half;
      let green = half;
      let blue = half;
      let at = line * lineStride + (first[to] as number) * stride;
      for (let tap = to * size; tap < (to + 1) * size; tap++) {
        const weight = weights[tap] as number;
        if (weight === 0 || at > last) break;
        red += weight * (pixels[at] as number);
        green += weight * (pixels[at + 1] as number);
        blue += weight * (pixels[at + 2] as number);
        at += stride;
      }
      const target = line * toLineStride + to * toStride;
      out[target] = Math.min(255, red >> PRECISION_BITS);
      out[target + 1] = Math.min(255, green >> PRECISION_BITS);
      out[target + 2] = Math.min(255, blue >> PRECISION_BITS);
    }
  }
  return out;
}

const known = new Map<string, Taps>();

/** Taps are worked out once for each pair of sizes; a camera keeps asking for the same. */
function taps(from: number, to: number): Taps {
  const key = `${from} ${to}`;
  let found = known.get(key);
  if (found === undefined) {
    if (known.size >= 16) known.clear();
    found = makeTaps(from, to);
    known.set(key, found);
  }
  return found;
}

function makeTaps(from: number, to: number): Taps {
  const scale = from / to;
  const support = Math.max(1, scale);
  const inverse = 1 / support; // multiplied with, as Pillow does: a quotient could differ in its last bit
  const size = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const weights = new Int32Array(to * size);
  for (let index = 0; index < to; index++) {
    const centre = (index + 0.5) * scale;
    let begin = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const raw = Array.from({ length: end - begin }, (_, tap) =>
      Math.max(0, 1 - Math.abs((tap + begin - centre + 0.5) * inverse)),
    );
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    const fixed = raw.map((weight) => Math.trunc((weight / total) * 2 ** PRECISION_BITS + 0.5));
    while (fixed[0] === 0) {
      fixed.shift();
      begin += 1;
    }
    first[index] = begin;
    weights.set(fixed, index * size);
  }
  return { first, weights, size };
}
