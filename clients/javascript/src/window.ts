/**
 * Windows of a picture: the region that is shown, and masked areas that are black before anything else sees them.
 *
 * Twin of sensor_sim/window.py, for rectangles; `tests/vectors/window.json` holds both together. Places are percent of
 * the width and height of the upright picture.
 */

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Window {
  /** The part that is shown; null for all of it. */
  region: Rectangle | null;
  /** Areas of the whole picture that are black. */
  masks: readonly Rectangle[];
}

export const WHOLE_PICTURE: Window = { region: null, masks: [] };

/** Text that is no rectangle; the message is for the person who wrote it. */
export class WindowError extends Error {
  override readonly name = "WindowError";
}

/** Decimals of a pixel to which places are rounded: a border on a pixel's edge doesn't reach into the next pixel. */
const EXACT = 1e6;
/** Of sums of percents. */
const ROUNDING = 1e-9;

/**
 * Rectangles `x, y, width, height` in percent, with semicolons between them; none in an empty text.
 *
 * @throws {WindowError} where one is something else, without area, or leaves the picture.
 */
export function parseRectangles(text: string): Rectangle[] {
  return text
    .split(";")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const numbers = part.split(",").map((number) => (number.trim() === "" ? Number.NaN : Number(number)));
      if (numbers.length !== 4 || !numbers.every(Number.isFinite)) {
        throw new WindowError(`“${part.trim()}” is not x, y, width, height in percent, such as 0, 0, 30, 100.`);
      }
      const [x, y, width, height] = numbers as [number, number, number, number];
      if (width <= 0 || height <= 0) throw new WindowError(`“${part.trim()}” has no area.`);
      if (x < 0 || y < 0 || Math.max(x + width, y + height) > 100 + ROUNDING) {
        throw new WindowError(`“${part.trim()}” leaves the picture, which is 100 percent wide and high.`);
      }
      return { x, y, width, height };
    });
}

/** Left, upper, right and lower edge in pixels, of a picture of a size: every pixel that is touched is inside. */
export function boxOf(rectangle: Rectangle, height: number, width: number): [number, number, number, number] {
  const [left, right] = outward(rectangle.x, rectangle.x + rectangle.width, width);
  const [upper, lower] = outward(rectangle.y, rectangle.y + rectangle.height, height);
  return [left, upper, right, lower];
}

function outward(first: number, last: number, size: number): [number, number] {
  const place = (percent: number) => Math.round(((percent * size) / 100) * EXACT) / EXACT;
  const start = Math.min(size - 1, Math.floor(place(first)));
  return [start, Math.min(size, Math.max(start + 1, Math.ceil(place(last))))];
}

/** Pixels (height, width, channels) uint8. */
export interface Picture8 {
  height: number;
  width: number;
  data: Uint8Array | Uint8ClampedArray;
}

/** What is shown of a picture: masked, then cut. The masked pixels of `picture` itself become black. */
export function shownPart(picture: Picture8, channels: number, { region, masks }: Window): Picture8 {
  const { height, width, data } = picture;
  for (const mask of masks) {
    const [left, upper, right, lower] = boxOf(mask, height, width);
    for (let row = upper; row < lower; row++) {
      data.fill(0, (row * width + left) * channels, (row * width + right) * channels);
    }
  }
  if (region === null) return picture;
  const [left, upper, right, lower] = boxOf(region, height, width);
  const across = (right - left) * channels;
  const part = new Uint8Array(across * (lower - upper));
  for (let row = upper; row < lower; row++) {
    const from = (row * width + left) * channels;
    part.set(data.subarray(from, from + across), (row - upper) * across);
  }
  return { height: lower - upper, width: right - left, data: part };
}
