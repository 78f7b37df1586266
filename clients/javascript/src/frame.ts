/** A frame, the rows that a sensor of the network's size reads out, and how it is cut into bursts. */

import { rgbRows } from "./raw-rows.js";
import { resize } from "./resize.js";
import { CHANNELS, PIXEL_FORMATS, type PixelFormat } from "./wire.js";

/** One exposure: (height, width, samples a pixel) uint8, row after row. */
export interface Frame {
  height: number;
  width: number;
  format: PixelFormat;
  samples: Uint8Array<ArrayBuffer>;
  /** Width over height of the picture that the frame was made of; without one the frame's own. */
  aspect?: number;
}

/** Width over height at which a frame looks as its picture does. */
export function aspectOf({ aspect, width, height }: Frame): number {
  return aspect ?? width / height;
}

/** Samples as a canvas has them: (height, width, 4) uint8; the last one of a pixel is of no account. */
export interface Picture {
  height: number;
  width: number;
  data: Uint8Array | Uint8ClampedArray;
}

/**
 * A picture as a frame of the network's size. The aspect ratio is not kept, as the network was trained so.
 *
 * @throws {RangeError} a picture without pixels, as of a video that has not begun, or whose data don't fill it.
 */
export function frameOf(picture: Picture, { height, width }: { height: number; width: number }): Frame {
  const bytes = picture.height * picture.width * 4;
  if (!bytes || picture.data.length !== bytes) {
    const expected = "at least one pixel, and four samples for each, as a canvas has them";
    throw new RangeError(
      `a picture of ${picture.height} x ${picture.width} pixels has ${picture.data.length} samples, expected ${expected}`,
    );
  }
  const samples = resize(picture.data, picture.height, picture.width, 4, height, width);
  return { height, width, format: "rgb8", samples, aspect: picture.width / picture.height };
}

/**
 * Holds a frame to a size, and its samples to the frame.
 *
 * `format`: of the stream that takes the frame; any without one.
 *
 * @throws {RangeError} another size or format, or too many or too few samples.
 * @throws {TypeError} samples that are not uint8.
 */
export function checkFrame(frame: Frame, size: { height: number; width: number }, format?: PixelFormat): void {
  const { height, width, samples } = frame;
  if (height !== size.height || width !== size.width) {
    throw new RangeError(`a frame must have ${size.height} x ${size.width} pixels, not ${height} x ${width}`);
  }
  const formats = format === undefined ? PIXEL_FORMATS : [format];
  if (!formats.includes(frame.format)) {
    throw new RangeError(`a frame's format must be ${formats.join(", ")}, not ${frame.format}`);
  }
  if (!(samples instanceof Uint8Array)) throw new TypeError("a frame's samples must be a Uint8Array");
  const bytes = height * rowBytes(frame);
  if (samples.length !== bytes) {
    const hint = samples.length === height * width * 4 ? "; frameOf makes a frame of a canvas's pixels" : "";
    throw new RangeError(
      `a frame of ${height} x ${width} pixels in ${frame.format} has ${bytes} samples, not ${samples.length}${hint}`,
    );
  }
}

/** Bytes of one row as it is sent. */
export function rowBytes(frame: Frame): number {
  return frame.width * (frame.format === "rgb8" ? CHANNELS : 1);
}

/** Rows of a mosaic that come along above and below. */
export function haloRows(format: PixelFormat): number {
  return format.startsWith("bayer") ? 1 : 0;
}

/** The rows of consecutive bursts, with a mosaic's halo; a view of the frame where that is possible. */
export function rowsOfBursts(frame: Frame, firstBurst: number, bursts: number, burstRows: number): Uint8Array {
  const bytes = rowBytes(frame);
  const first = firstBurst * burstRows;
  const end = first + bursts * burstRows;
  const halo = haloRows(frame.format);
  const row = (index: number) => frame.samples.subarray(index * bytes, (index + 1) * bytes);
  if (halo === 0) return frame.samples.subarray(first * bytes, end * bytes);
  const rows = new Uint8Array((end - first + 2 * halo) * bytes);
  rows.set(frame.samples.subarray(first * bytes, end * bytes), halo * bytes);
  // At the frame's edge the halo mirrors the frame without repeating the edge row.
  rows.set(row(first === 0 ? 1 : first - 1), 0);
  rows.set(row(end === frame.height ? end - 2 : end), rows.length - bytes);
  return rows;
}

/** Pixels with an opaque alpha, as a canvas wants them; a raw format is shown as its grey samples. */
export function rgbaOf(frame: Frame): Uint8ClampedArray<ArrayBuffer> {
  const pixels = frame.height * frame.width;
  const { samples } = frame;
  const rgba = new Uint8ClampedArray(pixels * 4);
  const stride = frame.format === "rgb8" ? CHANNELS : 1;
  const [green, blue] = stride === CHANNELS ? [1, 2] : [0, 0];
  for (let pixel = 0, from = 0, to = 0; pixel < pixels; pixel++, from += stride, to += 4) {
    rgba[to] = samples[from] as number;
    rgba[to + 1] = samples[from + green] as number;
    rgba[to + 2] = samples[from + blue] as number;
    rgba[to + 3] = 255;
  }
  return rgba;
}

/** The rows of consecutive bursts as the network takes them: (bursts x burstRows, width, 3). */
export function rgbBursts(frame: Frame, firstBurst: number, bursts: number, burstRows: number): Uint8Array {
  const rows = rowsOfBursts(frame, firstBurst, bursts, burstRows);
  return rgbRows(rows, frame.format, frame.width, firstBurst * burstRows);
}
