import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type ClientControl,
  decodeControl,
  encodeControl,
  encodeRows,
  MAX_TEXT_LENGTH,
  type PixelFormat,
  SUBPROTOCOL,
  WireError,
} from "../src/wire.js";

interface Vector {
  name: string;
  kind: "binary" | "text";
  hex: string;
  message: Record<string, unknown> & { type: string };
}

/** Bytes shared with the Python implementation. */
const shared = JSON.parse(readFileSync(new URL("../../../tests/vectors/wire.json", import.meta.url), "utf8")) as {
  subprotocol: string;
  messages: Vector[];
  tolerated: { name: string; text: string; message: Record<string, unknown> }[];
  refused: { name: string; code: string; text: string }[];
};
const ofType = (...types: string[]) => shared.messages.filter(({ message }) => types.includes(message.type));
const text = ({ hex }: Vector) => Buffer.from(hex, "hex").toString("utf8");

/** What the page sends. */
const SENT = ["hello", "resume", "abandon", "sync", "end"];
const textTypes = [
  ...new Set(shared.messages.filter(({ kind }) => kind === "text").map(({ message }) => message.type)),
];

describe("the shared vectors", () => {
  it("are of this protocol and cover every message", () => {
    expect(shared.subprotocol).toBe(SUBPROTOCOL);
    const covered = new Set(shared.messages.map(({ message }) => message.type));
    for (const type of SENT) expect(covered).toContain(type);
  });

  it.each(ofType("rows"))("encode rows: $name", ({ hex, message }) => {
    const { frame_id, first_burst, bursts, readout_us, pixel_format, rows_shape, rows_hex } = message as unknown as {
      frame_id: number;
      first_burst: number;
      bursts: number;
      readout_us: number;
      pixel_format: PixelFormat;
      rows_shape: [number, number, number];
      rows_hex: string;
    };
    const rows = new Uint8Array(Buffer.from(rows_hex, "hex"));
    const width = rows_shape[1];
    const bytes = encodeRows({ frame_id, first_burst, bursts, readout_us, width, rows, pixel_format });
    expect(Buffer.from(bytes).toString("hex")).toBe(hex);
  });

  it.each(ofType(...SENT))("encode control: $name", (vector) => {
    expect(encodeControl(vector.message as unknown as ClientControl)).toBe(text(vector));
  });

  it.each(ofType(...textTypes.filter((type) => !SENT.includes(type) || type === "sync")))("decode: $name", (vector) => {
    expect(decodeControl(text(vector))).toEqual(vector.message);
  });

  it.each(shared.tolerated)("ignore fields of a later server: $name", ({ text, message }) => {
    expect(decodeControl(text)).toEqual(message);
  });

  it.each(shared.refused)("refuse: $name", ({ code, text }) => {
    expect(() => decodeControl(text)).toThrow(WireError);
    expect(() => decodeControl(text)).toThrow(expect.objectContaining({ code }));
  });
});

describe("decodeControl", () => {
  const progress = { type: "progress", frame_id: 0, burst_index: 1, p_person: 0.5, confidence: 0.5 };

  it.each([
    ["malformed_json", "null"],
    ["malformed_json", " ".repeat(MAX_TEXT_LENGTH + 1)],
    ["unknown_type", '{"type":"toString"}'],
    ["unknown_type", '{"type":"hello"}'],
    ["bad_field", JSON.stringify({ ...progress, p_person: "0.5" })],
    ["bad_field", JSON.stringify({ ...progress, frame_id: 2 ** 32 })],
  ])("refuses with %s: %s", (code, data) => {
    expect(() => decodeControl(data)).toThrow(WireError);
    expect(() => decodeControl(data)).toThrow(expect.objectContaining({ code }));
  });

  it("tells a message that it does not know by its name", () => {
    expect(() => decodeControl('{"type":"weather"}')).toThrow('no message of the type "weather"');
  });
});

describe("encodeRows", () => {
  it("refuses rows that are not whole bursts", () => {
    const rgb = { frame_id: 0, first_burst: 0, bursts: 2, readout_us: 0, width: 4, pixel_format: "rgb8" as const };
    expect(() => encodeRows({ ...rgb, rows: new Uint8Array(36) })).toThrow(WireError);
    expect(() => encodeRows({ ...rgb, rows: new Uint8Array(25) })).toThrow(WireError);
    const mosaic = { ...rgb, bursts: 1, pixel_format: "bayer_rggb8" as const };
    expect(() => encodeRows({ ...mosaic, rows: new Uint8Array(8) })).toThrow(WireError);
  });
});
