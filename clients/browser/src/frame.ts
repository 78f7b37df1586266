/** From a photo to a frame: the rows that a sensor of the network's size would read out. */

import { resize } from "./resize";
import { CHANNELS } from "./wire";

/** One exposure: `rgb` is (height, width, 3) uint8, row after row. */
export interface Frame {
  height: number;
  width: number;
  rgb: Uint8Array;
}

export const MAX_PHOTO_BYTES = 50_000_000;
export const MAX_PHOTO_PIXELS = 50_000_000;

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
  let photo: ImageBitmap;
  try {
    // No colour conversion: the service's other doors take the pixel values as they stand in the file.
    photo = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new PhotoError(`${label} can’t be read as a picture. Choose a JPEG, PNG or WebP photo.`);
  }
  if (photo.width * photo.height > MAX_PHOTO_PIXELS) {
    photo.close();
    throw new PhotoError(`${label} has more than ${MAX_PHOTO_PIXELS / 1e6} million pixels. Choose a smaller photo.`);
  }
  return photo;
}

/** The photo at the network's size; the aspect ratio is not kept, as the network was trained so. */
export function exposeFrame(photo: ImageBitmap, height: number, width: number): Frame {
  const canvas = document.createElement("canvas");
  canvas.width = photo.width;
  canvas.height = photo.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new PhotoError("This browser can’t draw on a canvas.");
  context.drawImage(photo, 0, 0);
  const { data } = context.getImageData(0, 0, photo.width, photo.height);
  return { height, width, rgb: resize(data, photo.height, photo.width, 4, height, width) };
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
