/**
 * How a picture file says that it has to be turned: the orientation of EXIF or XMP in JPEG, PNG and WebP.
 *
 * Browsers turn some formats and leave others as they are, and can't be told not to. The service's other doors turn
 * all three alike (Pillow's `exif_transpose`): EXIF first, in PNG also as ImageMagick's raw profile, then XMP. So the
 * browser is given a file that says nothing of it. `tests/page/test_orientation.py` holds the doors together.
 */

/** 1 to 8, as in EXIF 2.32, 4.6.4: 1 is upright, 6 has to be turned by 90 degrees clockwise. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

export interface Oriented {
  orientation: Orientation;
  /** The file without the EXIF that a browser would turn it by. */
  plain: Blob;
}

/** What stands beside the pixels. */
interface Beside {
  exif: Uint8Array | null;
  xmp: Uint8Array | null;
  /** Where in the file a chunk begins and ends that can go. */
  chunk?: [number, number];
}

const MOST_PROFILE_BYTES = 1_000_000;
const XMP_ORIENTATION = /tiff:Orientation(?:="|>)([0-9])/;
const ORIENTATION_TAG = 0x0112;
const SHORT = 3;

// What a browser calls latin1 has other characters from 0x80 to 0x9f: good for ASCII alone.
const ascii = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
const begins = (bytes: Uint8Array, text: string) =>
  bytes.length >= text.length && [...text].every((character, at) => character.charCodeAt(0) === bytes[at]);

/** The orientation of a picture file, 1 where it says none or one that doesn't exist; and the file without it. */
export async function readOrientation(file: Uint8Array<ArrayBuffer>): Promise<Oriented> {
  const { exif, xmp, chunk } = await beside(file);
  const found = exif && exifOrientation(exif);
  const value = found?.value ?? Number(xmp && XMP_ORIENTATION.exec(ascii(xmp))?.[1]);
  const orientation = value >= 1 && value <= 8 ? (value as Orientation) : 1;
  if (orientation === 1 || !found) return { orientation, plain: new Blob([file]) };
  if (chunk) return { orientation, plain: new Blob([file.subarray(0, chunk[0]), file.subarray(chunk[1])]) };
  if (found.bytes.buffer !== file.buffer) return { orientation, plain: new Blob([file]) }; // no browser looks there
  const at = found.bytes.byteOffset - file.byteOffset;
  return { orientation, plain: new Blob([file.subarray(0, at), found.upright, file.subarray(at + 2)]) };
}

async function beside(file: Uint8Array): Promise<Beside> {
  if (file[0] === 0xff && file[1] === 0xd8) return besideJpeg(file);
  if (begins(file, "\x89PNG\r\n\x1a\n")) return besidePng(file);
  if (begins(file, "RIFF") && begins(file.subarray(8), "WEBP")) return besideWebp(file);
  return { exif: null, xmp: null };
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Segments up to the first scan; XMP and EXIF are both APP1. */
function besideJpeg(file: Uint8Array): Beside {
  const found: Beside = { exif: null, xmp: null };
  const view = viewOf(file);
  const xmp = "http://ns.adobe.com/xap/1.0/\0";
  for (let at = 2; at + 4 <= file.length && file[at] === 0xff; ) {
    const marker = file[at + 1] as number;
    if (marker === 0xff) {
      at += 1; // padding
      continue;
    }
    if (marker === 0xda || marker === 0xd9) break;
    const end = at + 2 + view.getUint16(at + 2);
    const content = file.subarray(at + 4, end);
    if (marker === 0xe1 && begins(content, "Exif\0\0")) found.exif ??= content.subarray(6);
    if (marker === 0xe1 && begins(content, xmp)) found.xmp ??= content.subarray(xmp.length);
    at = end;
  }
  return found;
}

async function besidePng(file: Uint8Array): Promise<Beside> {
  const found: Beside = { exif: null, xmp: null };
  let profile: Uint8Array | null = null;
  const view = viewOf(file);
  for (let at = 8; at + 12 <= file.length; ) {
    const length = view.getUint32(at);
    const kind = ascii(file.subarray(at + 4, at + 8));
    const content = file.subarray(at + 8, at + 8 + length);
    if (kind === "eXIf") Object.assign(found, { exif: content, chunk: [at, at + 12 + length] });
    if (kind === "zTXt" && begins(content, "Raw profile type exif\0")) profile = await unpacked(content.subarray(23));
    if (kind === "tEXt" && begins(content, "Raw profile type exif\0")) profile = content.subarray(22);
    if (kind === "iTXt" && begins(content, "XML:com.adobe.xmp\0")) found.xmp = await internationalText(content, 18);
    at += 12 + length;
  }
  found.exif ??= profile && fromProfile(profile);
  return found;
}

/** The text of an iTXt chunk: flag and method of compression, language, keyword, text. */
async function internationalText(content: Uint8Array, from: number): Promise<Uint8Array | null> {
  const compressed = content[from] === 1;
  const language = content.indexOf(0, from + 2);
  const keyword = language < 0 ? -1 : content.indexOf(0, language + 1);
  if (keyword < 0) return null;
  const text = content.subarray(keyword + 1);
  return compressed ? unpacked(text) : text;
}

/** A zlib stream unpacked; null where it is damaged or larger than anything that is looked for. */
async function unpacked(bytes: Uint8Array): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let total = 0;
  try {
    const packed = new Blob([bytes.slice()]).stream();
    const reader = packed.pipeThrough(new DecompressionStream("deflate")).getReader();
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      total += step.value.length;
      if (total > MOST_PROFILE_BYTES) {
        await reader.cancel();
        return null;
      }
      parts.push(step.value);
    }
  } catch {
    return null;
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** ImageMagick's raw profile: a line break, name, length, then the bytes in hexadecimal digits. */
function fromProfile(profile: Uint8Array): Uint8Array | null {
  const digits = ascii(profile).split("\n").slice(3).join("");
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) return null;
  return Uint8Array.from({ length: digits.length / 2 }, (_, at) =>
    Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16),
  );
}

function besideWebp(file: Uint8Array): Beside {
  const found: Beside = { exif: null, xmp: null };
  const view = viewOf(file);
  for (let at = 12; at + 8 <= file.length; ) {
    const length = view.getUint32(at + 4, true);
    const kind = ascii(file.subarray(at, at + 4));
    const content = file.subarray(at + 8, at + 8 + length);
    if (kind === "EXIF") found.exif ??= content;
    if (kind === "XMP ") found.xmp ??= content;
    at += 8 + length + (length % 2);
  }
  return found;
}

/** The orientation in a TIFF structure's first directory, its two bytes, and those of 1; null where there is none. */
function exifOrientation(
  exif: Uint8Array,
): { value: number; bytes: Uint8Array; upright: Uint8Array<ArrayBuffer> } | null {
  const tiff = begins(exif, "Exif\0\0") ? exif.subarray(6) : exif;
  const little = begins(tiff, "II*\0");
  if (!little && !begins(tiff, "MM\0*")) return null;
  const view = viewOf(tiff);
  if (tiff.length < 10) return null;
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return null;
  const entries = view.getUint16(directory, little);
  for (let entry = 0; entry < entries; entry++) {
    const at = directory + 2 + 12 * entry;
    if (at + 12 > tiff.length) return null;
    if (view.getUint16(at, little) !== ORIENTATION_TAG) continue;
    if (view.getUint16(at + 2, little) !== SHORT) return null;
    const bytes = tiff.subarray(at + 8, at + 10);
    return { value: view.getUint16(at + 8, little), bytes, upright: Uint8Array.of(...(little ? [1, 0] : [0, 1])) };
  }
  return null;
}

/** The matrix that draws a picture of width x height upright: x' = a x + c y + e, y' = b x + d y + f. */
export function uprightMatrix(
  orientation: Orientation,
  width: number,
  height: number,
): [number, number, number, number, number, number] {
  switch (orientation) {
    case 1:
      return [1, 0, 0, 1, 0, 0];
    case 2:
      return [-1, 0, 0, 1, width, 0];
    case 3:
      return [-1, 0, 0, -1, width, height];
    case 4:
      return [1, 0, 0, -1, 0, height];
    case 5:
      return [0, 1, 1, 0, 0, 0];
    case 6:
      return [0, 1, -1, 0, height, 0];
    case 7:
      return [0, -1, -1, 0, height, width];
    case 8:
      return [0, -1, 1, 0, 0, width];
  }
}

/** Whether an upright picture is as wide as the stored one is high. */
export function liesOnItsSide(orientation: Orientation): boolean {
  return orientation >= 5;
}
