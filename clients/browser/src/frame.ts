/** From a photo to a frame: the rows that a sensor of the network's size would read out. */

import { CHANNELS } from "./wire";

/** One exposure: `rgb` is (height, width, 3) uint8, row after row. */
export interface Frame {
  height: number;
  width: number;
  rgb: Uint8Array;
}

export const MAX_PHOTO_BYTES = 50_000_000;

/** A file that is no photo this browser can read; the message is for the person who chose it. */
export class PhotoError extends Error {
  override readonly name = "PhotoError";
}

/**
 * The photo in a file.
 *
 * @throws {PhotoError} when it is too large or cannot be read.
 */
export async function decodePhoto(file: Blob, label: string): Promise<ImageBitmap> {
  if (file.size > MAX_PHOTO_BYTES) {
    throw new PhotoError(`${label} is larger than ${MAX_PHOTO_BYTES / 1e6} MB. Choose a smaller photo.`);
  }
  try {
    // No colour conversion: the service's other doors take the pixel values as they stand in the file.
    return await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new PhotoError(`${label} can’t be read as a picture. Choose a JPEG, PNG or WebP photo.`);
  }
}

/** The photo at the network's size; the aspect ratio is not kept, as the network was trained so. */
export function exposeFrame(photo: ImageBitmap, height: number, width: number): Frame {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (context === null) throw new PhotoError("This browser can’t draw on a canvas.");
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, width, height);
  return { height, width, rgb: rgbFromRgba(context.getImageData(0, 0, width, height).data) };
}

/** Pixels without their alpha. */
export function rgbFromRgba(rgba: Uint8ClampedArray): Uint8Array {
  const pixels = rgba.length / 4;
  const rgb = new Uint8Array(pixels * CHANNELS);
  for (let pixel = 0; pixel < pixels; pixel++) {
    rgb.set(rgba.subarray(pixel * 4, pixel * 4 + CHANNELS), pixel * CHANNELS);
  }
  return rgb;
}

/** Pixels with an opaque alpha, as a canvas wants them. */
export function rgbaFromRgb(rgb: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const pixels = rgb.length / CHANNELS;
  const rgba = new Uint8ClampedArray(pixels * 4).fill(255);
  for (let pixel = 0; pixel < pixels; pixel++) {
    rgba.set(rgb.subarray(pixel * CHANNELS, (pixel + 1) * CHANNELS), pixel * 4);
  }
  return rgba;
}

/** The rows of one burst; a view of the frame, not a copy. */
export function rowsOfBurst(frame: Frame, burstIndex: number, burstRows: number): Uint8Array {
  const burstBytes = burstRows * frame.width * CHANNELS;
  return frame.rgb.subarray(burstIndex * burstBytes, (burstIndex + 1) * burstBytes);
}
