/**
 * Windows of a picture: the region that is shown, and masked areas that are black before anything else sees them.
 *
 * Twin of sensor_sim/window.py, for rectangles and polygons; `tests/vectors/window.json` holds both together. Places are
 * percent of the width and height of the upright picture.
 */

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A place in percent, or in pixels: from the left, and from above. */
export type Place = readonly [x: number, y: number];

/** An area between straight edges, which may cross: inside is where a ray meets an odd number of them. */
export interface Polygon {
  /** Corners in percent, 3 to `MOST_POINTS`. */
  points: readonly Place[];
}

export type Shape = Rectangle | Polygon;

export interface Window {
  /** The part that is shown; null for all of it. */
  region: Rectangle | null;
  /** Areas of the whole picture that are black. */
  masks: readonly Shape[];
}

export const WHOLE_PICTURE: Window = { region: null, masks: [] };

/** Most corners of a polygon. */
export const MOST_POINTS = 1000;

/** Text that is no area; the message is for the person who wrote it. */
export class WindowError extends Error {
  override readonly name = "WindowError";
}

/** Parts of a pixel to which places are rounded: a border on a pixel's edge doesn't reach into the next pixel. */
const EXACT = 1e6;
/** Of sums of percents. */
const ROUNDING = 1e-9;

/**
 * Areas in percent with semicolons between them, each a rectangle `x, y, width, height` or the corners
 * `x1, y1, x2, y2, x3, y3, ...` of a polygon; none in an empty text.
 *
 * @throws {WindowError} where one is something else, has no area, or leaves the picture.
 */
export function parseMasks(text: string): Shape[] {
  return parts(text).map(({ part, numbers }) => {
    const corners = numbers.length / 2;
    if (numbers.length === 4) return rectangleOf(part, numbers as [number, number, number, number]);
    if (corners < 3 || !Number.isInteger(corners)) {
      throw new WindowError(
        `“${part}” is neither x, y, width, height in percent, such as 0, 0, 30, 100, nor the corners of a polygon.`,
      );
    }
    if (corners > MOST_POINTS) throw new WindowError(`A polygon has at most ${MOST_POINTS} corners, not ${corners}.`);
    if (numbers.some((number) => number < 0 || number > 100 + ROUNDING)) throw leaves(part);
    return {
      points: Array.from(
        { length: corners },
        (_, at): Place => [numbers[2 * at] as number, numbers[2 * at + 1] as number],
      ),
    };
  });
}

/**
 * The region in a text, `x, y, width, height` in percent; null in an empty text.
 *
 * @throws {WindowError} where the text is something else, has no area, or leaves the picture.
 */
export function parseRegion(text: string): Rectangle | null {
  const [first, ...others] = parts(text);
  if (first === undefined) return null;
  if (others.length > 0 || first.numbers.length !== 4) {
    throw new WindowError(`“${text.trim()}” is not one x, y, width, height in percent, such as 50, 0, 50, 100.`);
  }
  return rectangleOf(first.part, first.numbers as [number, number, number, number]);
}

function parts(text: string): { part: string; numbers: number[] }[] {
  return text
    .split(";")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const numbers = part.split(",").map((number) => (number.trim() === "" ? Number.NaN : Number(number)));
      if (!numbers.every(Number.isFinite)) throw new WindowError(`“${part}” is not numbers with commas between them.`);
      return { part, numbers };
    });
}

function rectangleOf(part: string, [x, y, width, height]: [number, number, number, number]): Rectangle {
  if (width <= 0 || height <= 0) throw new WindowError(`“${part}” has no area.`);
  if (x < 0 || y < 0 || Math.max(x + width, y + height) > 100 + ROUNDING) throw leaves(part);
  return { x, y, width, height };
}

function leaves(part: string): WindowError {
  return new WindowError(`“${part}” leaves the picture, which is 100 percent wide and high.`);
}

/** The text that `parseMasks` and `parseRegion` read: its shapes again. */
export function shapesText(shapes: readonly Shape[]): string {
  return shapes
    .map((shape) => ("points" in shape ? shape.points.flat() : [shape.x, shape.y, shape.width, shape.height]))
    .map((numbers) => numbers.join(","))
    .join("; ");
}

/** Left, upper, right and lower edge in pixels, of a picture of a size: every pixel that is touched is inside. */
export function boxOf(rectangle: Rectangle, height: number, width: number): [number, number, number, number] {
  const { x, y } = rectangle;
  const [left, right] = touchedSpan((x * width) / 100, ((x + rectangle.width) * width) / 100, width);
  const [upper, lower] = touchedSpan((y * height) / 100, ((y + rectangle.height) * height) / 100, height);
  return [left, upper, right, lower];
}

/** The pixels that a span touches, of `size` in a line: the first, and the one behind the last; at least one. */
function touchedSpan(first: number, last: number, size: number): [number, number] {
  const rounded = (place: number) => Math.floor(place * EXACT + 0.5) / EXACT;
  const start = Math.min(size - 1, Math.floor(rounded(first)));
  return [start, Math.min(size, Math.max(start + 1, Math.ceil(rounded(last))))];
}

/** Pixels of one row: the first, and the one behind the last. */
export type Span = readonly [row: number, left: number, right: number];

/** The spans of pixels that a shape touches, of a picture of a size; several may cover the same pixel. */
export function spansOf(shape: Shape, height: number, width: number): Span[] {
  if ("points" in shape) return polygonSpans(shape, height, width);
  const [left, upper, right, lower] = boxOf(shape, height, width);
  return Array.from({ length: lower - upper }, (_, row) => [upper + row, left, right]);
}

/** The pixels that an edge touches, and those whose middle is inside. */
function polygonSpans({ points }: Polygon, height: number, width: number): Span[] {
  const spans: Span[] = [];
  const turns = Array.from({ length: height }, (): number[] => []);
  const corners = points.map(([x, y]): Place => [(x * width) / 100, (y * height) / 100]);
  corners.forEach((corner, index) => {
    const next = corners[(index + 1) % corners.length] as Place;
    const [[x0, y0], [x1, y1]] = corner[1] <= next[1] ? [corner, next] : [next, corner];
    const along = (y: number) => x0 + ((y - y0) * (x1 - x0)) / (y1 - y0);
    const [upper, lower] = touchedSpan(y0, y1, height);
    for (let row = upper; row < lower; row++) {
      const [first, last] = y0 === y1 ? [x0, x1] : [along(Math.max(y0, row)), along(Math.min(y1, row + 1))];
      spans.push([row, ...touchedSpan(Math.min(first, last), Math.max(first, last), width)]);
    }
    for (let row = Math.max(0, Math.ceil(y0 - 0.5)); row < Math.min(height, Math.ceil(y1 - 0.5)); row++) {
      turns[row]?.push(Math.min(width, Math.max(0, Math.ceil(along(row + 0.5) - 0.5))));
    }
  });
  turns.forEach((columns, row) => {
    columns.sort((one, other) => one - other);
    for (let at = 0; at + 1 < columns.length; at += 2) {
      spans.push([row, columns[at] as number, columns[at + 1] as number]);
    }
  });
  return spans;
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
    for (const [row, left, right] of spansOf(mask, height, width)) {
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
