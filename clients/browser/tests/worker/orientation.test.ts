import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { liesOnItsSide, type Orientation, readOrientation, uprightMatrix } from "../../src/worker/orientation";

const orientationOf = async (file: Buffer) => (await readOrientation(new Uint8Array(file))).orientation;
const ALL: Orientation[] = [1, 2, 3, 4, 5, 6, 7, 8];
const bytes = (text: string) => Buffer.from(text, "latin1");

/** EXIF of one entry, little- or big-endian. */
function exif(orientation: number, little = true): Buffer {
  const tiff = Buffer.alloc(26);
  const short = (value: number, at: number) => (little ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at));
  const long = (value: number, at: number) => (little ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at));
  tiff.write(little ? "II" : "MM", 0, "latin1");
  short(42, 2);
  long(8, 4);
  short(1, 8);
  short(0x0112, 10);
  short(3, 12);
  long(1, 14);
  short(orientation, 18);
  return tiff;
}

const xmp = (orientation: number) => bytes(`<rdf:Description tiff:Orientation="${orientation}"/>`);

function chunk(kind: string, content: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(content.length);
  return Buffer.concat([head, bytes(kind), content, Buffer.alloc(4)]);
}
const png = (...chunks: Buffer[]) =>
  Buffer.concat([
    bytes("\x89PNG\r\n\x1a\n"),
    chunk("IHDR", Buffer.alloc(13)),
    ...chunks,
    chunk("IEND", Buffer.alloc(0)),
  ]);
const profile = (content: Buffer) => bytes(`\nexif\n${content.length}\n${content.toString("hex")}\n`);

function riff(...parts: [string, Buffer][]): Buffer {
  const body = parts.map(([kind, content]) => {
    const head = Buffer.alloc(8);
    head.write(kind, "latin1");
    head.writeUInt32LE(content.length, 4);
    return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
  });
  return Buffer.concat([bytes("RIFF\0\0\0\0WEBP"), ...body]);
}

function jpeg(...segments: Buffer[]): Buffer {
  const parts = segments.map((content) => {
    const head = Buffer.from([0xff, 0xe1, 0, 0]);
    head.writeUInt16BE(content.length + 2, 2);
    return Buffer.concat([head, content]);
  });
  return Buffer.concat([Buffer.from([0xff, 0xd8]), ...parts, Buffer.from([0xff, 0xda, 0, 2])]);
}

describe("the orientation of a file", () => {
  it.each(ALL)("%i is found wherever it may stand", async (orientation) => {
    const packed = Buffer.concat([bytes("Raw profile type exif\0\0"), deflateSync(profile(exif(orientation)))]);
    const files: Record<string, Buffer> = {
      jpeg: jpeg(Buffer.concat([bytes("Exif\0\0"), exif(orientation, false)])),
      "jpeg, xmp": jpeg(Buffer.concat([bytes("http://ns.adobe.com/xap/1.0/\0"), xmp(orientation)])),
      png: png(chunk("IDAT", Buffer.alloc(9)), chunk("eXIf", exif(orientation))),
      "png, raw profile": png(chunk("zTXt", packed)),
      "png, xmp": png(chunk("iTXt", Buffer.concat([bytes("XML:com.adobe.xmp\0\0\0\0\0"), xmp(orientation)]))),
      webp: riff(["VP8 ", Buffer.alloc(3)], ["EXIF", exif(orientation)]),
      "webp, with the mark of JPEG": riff(["EXIF", Buffer.concat([bytes("Exif\0\0"), exif(orientation, false)])]),
      "webp, xmp": riff(["XMP ", xmp(orientation)]),
    };
    for (const [name, file] of Object.entries(files)) {
      expect([name, await orientationOf(file)]).toEqual([name, orientation]);
      const { plain } = await readOrientation(new Uint8Array(file));
      const left = await readOrientation(new Uint8Array(await plain.arrayBuffer()));
      // What a browser looks at is gone; XMP and raw profiles it leaves alone.
      if (!/xmp|raw/.test(name)) expect([name, left.orientation]).toEqual([name, 1]);
    }
  });

  it("is 1 where there is none, or an impossible one, whatever is damaged", async () => {
    const whole = png(chunk("eXIf", exif(6)));
    for (const file of [Buffer.alloc(0), bytes("GIF89a"), png(), png(chunk("eXIf", exif(9))), riff(), jpeg()]) {
      expect(await orientationOf(file)).toBe(1);
    }
    for (let length = 0; length < whole.length; length++) {
      expect([1, 6]).toContain(await orientationOf(whole.subarray(0, length)));
    }
    const bomb = Buffer.concat([bytes("Raw profile type exif\0\0"), deflateSync(Buffer.alloc(3_000_000))]);
    expect(await orientationOf(png(chunk("zTXt", bomb)))).toBe(1);
  });

  it("of EXIF goes before that of XMP", async () => {
    expect(await orientationOf(riff(["XMP ", xmp(3)], ["EXIF", exif(8)]))).toBe(8);
  });
});

describe("turning upright", () => {
  it("fills the turned picture, each pixel once", () => {
    for (const orientation of ALL) {
      const [a, b, c, d, e, f] = uprightMatrix(orientation, 2, 1);
      const places = new Set<string>();
      for (let y = 0; y < 2; y++) {
        for (let x = 0; x < 3; x++) {
          const [toX, toY] = [a * x + c * y + e, b * x + d * y + f];
          const [wide, tall] = liesOnItsSide(orientation) ? [2, 3] : [3, 2];
          expect(toX >= 0 && toX < wide && toY >= 0 && toY < tall).toBe(true);
          places.add(`${toX} ${toY}`);
        }
      }
      expect(places.size).toBe(6);
    }
  });
});
