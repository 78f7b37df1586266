/** From a picture file, or a picture of a video, to a frame. Works in a worker. */

import { decode } from "fast-png";
import { type Frame, frameOf, type Picture, shownPart, type Window } from "rascanet-stream";
import { liesOnItsSide, type Orientation, readOrientation, uprightMatrix } from "./orientation";

export const MAX_PHOTO_BYTES = 50_000_000;
export const MAX_PHOTO_PIXELS = 50_000_000;
/** Samples of a pixel as a canvas has them. */
const CHANNELS = 4;
const PNG_SIGNATURE = 0x89504e47;
const PNG_HEAD_BYTES = 26;

/** A file that is no photo this browser can read; the message is for the person who chose it. */
export class PhotoError extends Error {
  override readonly name = "PhotoError";
}

/**
 * The picture in a file as a frame at the network's size, upright as the file says.
 *
 * @throws {PhotoError} when it is too large or cannot be read.
 */
export async function exposeFile(
  file: Blob,
  label: string,
  height: number,
  width: number,
  window: Window,
): Promise<Frame> {
  if (file.size > MAX_PHOTO_BYTES) {
    throw new PhotoError(`${label} is larger than ${MAX_PHOTO_BYTES / 1e6} MB. Choose a smaller photo.`);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const { orientation, plain } = await readOrientation(bytes);
  let pixels: Picture;
  try {
    pixels = decodePng(bytes, label) ?? (await decodeAny(plain, label));
  } catch (error) {
    if (error instanceof PhotoError) throw error;
    throw new PhotoError(`${label} can’t be read as a picture. ${wayOut(bytes)}`);
  }
  return frameOf(shownPart(upright(pixels, orientation), CHANNELS, window), { height, width });
}

/** Pictures of iPhones come in a format that few browsers read. */
function wayOut(bytes: Uint8Array): string {
  const brand = new TextDecoder("latin1").decode(bytes.subarray(4, 12));
  return /^ftyp(hei|hev|mif1|msf1)/.test(brand)
    ? "It is a HEIC picture, which this browser doesn’t read: export it as JPEG."
    : "Choose a JPEG, PNG or WebP photo.";
}

/** A canvas rounds half-transparent colours in its own way, so PNG with 8 bits a sample is decoded here. */
function decodePng(bytes: Uint8Array, label: string): Picture | null {
  const head = new DataView(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, PNG_HEAD_BYTES));
  if (head.byteLength < PNG_HEAD_BYTES || head.getUint32(0) !== PNG_SIGNATURE) return null;
  const [width, height, depth] = [head.getUint32(16), head.getUint32(20), head.getUint8(24)];
  checkSize(height, width, label);
  if (depth !== 8) return null;
  const { data, channels, palette, transparency } = decode(bytes);
  if (transparency !== undefined) return null; // one colour stands for nothing: a canvas does that exactly
  const rgba = new Uint8Array(width * height * 4).fill(255);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const from = pixel * channels;
    const colour = palette?.[data[from] as number];
    const alpha = (colour ? colour[3] : channels % 2 === 0 ? data[from + channels - 1] : undefined) ?? 255;
    for (let channel = 0; channel < 3; channel++) {
      const value = (colour ? colour[channel] : data[from + (channels < 3 ? 0 : channel)]) as number;
      rgba[pixel * 4 + channel] = onWhite(value, alpha);
    }
  }
  return { height, width, data: rgba };
}

/** Turned or mirrored until it is upright. */
function upright({ data, height, width }: Picture, orientation: Orientation): Picture {
  if (orientation === 1) return { data, height, width };
  const [a, b, c, d, e, f] = uprightMatrix(orientation, width - 1, height - 1);
  const wide = liesOnItsSide(orientation) ? height : width;
  const from = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const to = new Uint32Array(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      to[(b * x + d * y + f) * wide + a * x + c * y + e] = from[at] as number;
    }
  }
  return { height: (width * height) / wide, width: wide, data: new Uint8Array(to.buffer) };
}

/** As Pillow's `alpha_composite` rounds it. */
function onWhite(value: number, alpha: number): number {
  if (alpha === 255) return value;
  const sum = ((value * alpha + 255 * (255 - alpha)) << 7) + (0x80 << 7);
  return ((sum >> 8) + sum) >> 15;
}

/**
 * The picture in a file, upright, to be shown.
 *
 * @throws {DOMException} when it can't be read.
 */
export async function uprightBitmap(file: Blob): Promise<ImageBitmap> {
  const { orientation, plain } = await readOrientation(new Uint8Array(await file.arrayBuffer()));
  const stored = await createImageBitmap(plain);
  if (orientation === 1) return stored;
  const { width, height } = stored;
  const [wide, tall] = liesOnItsSide(orientation) ? [height, width] : [width, height];
  const turned = new OffscreenCanvas(wide, tall);
  const context = turned.getContext("2d");
  context?.setTransform(...uprightMatrix(orientation, width, height));
  context?.drawImage(stored, 0, 0);
  stored.close();
  return turned.transferToImageBitmap();
}

async function decodeAny(file: Blob, label: string): Promise<Picture> {
  // No conversion of colours: the service's other doors take the pixel values as they stand in the file.
  const photo = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  try {
    checkSize(photo.height, photo.width, label);
    return pixelsOf(photo);
  } finally {
    photo.close();
  }
}

function checkSize(height: number, width: number, label: string): void {
  if (width * height === 0) throw new PhotoError(`${label} has no pixels. Choose another photo.`);
  if (width * height <= MAX_PHOTO_PIXELS) return;
  throw new PhotoError(`${label} has more than ${MAX_PHOTO_PIXELS / 1e6} million pixels. Choose a smaller photo.`);
}

/** Kept from picture to picture: a camera's all have one size. */
let canvas: OffscreenCanvas | null = null;

function pixelsOf(photo: ImageBitmap | VideoFrame): Picture {
  const [height, width] =
    "displayHeight" in photo ? [photo.displayHeight, photo.displayWidth] : [photo.height, photo.width];
  if (canvas?.height !== height || canvas.width !== width) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new PhotoError("This browser can’t draw on a canvas.");
  context.fillStyle = "white"; // what is transparent lies on white, as behind the service's other doors
  context.fillRect(0, 0, width, height);
  context.drawImage(photo, 0, 0);
  return { height, width, data: context.getImageData(0, 0, width, height).data };
}

/** What is shown of a camera's or video's picture, as a frame at the network's size; the picture is used up. */
export function exposeFrame(photo: ImageBitmap | VideoFrame, height: number, width: number, window: Window): Frame {
  try {
    return frameOf(shownPart(pixelsOf(photo), CHANNELS, window), { height, width });
  } finally {
    photo.close();
  }
}
