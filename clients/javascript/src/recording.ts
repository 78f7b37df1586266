/**
 * What a simulated sensor emitted, read from a file (`rascanet record`; the format is described in sensor_sim/recording.py).
 *
 * `RSCNREC1`, then records: kind (u8), length (u32), content, CRC-32 (u32) that goes on from record to record.
 */

import { type Frame, haloRows } from "./frame.js";
import { CHANNELS, HEADER_BYTES, PIXEL_FORMATS, type PixelFormat, VERSION } from "./wire.js";

const MAGIC = "RSCNREC1";
const HEAD_BYTES = 5;
const CRC_BYTES = 4;
const HEADER = 1;
const FRAME = 2;
const ROWS = 3;
const END = 4;
export const MAX_RECORDING_BYTES = 200_000_000;

export interface RecordedFrame {
  /** When its readout began, ms since the recording began. */
  startMs: number;
  frame: Frame;
}

export interface Recording {
  height: number;
  width: number;
  format: PixelFormat;
  lineTimeUs: number;
  frames: RecordedFrame[];
}

/** Whether a file's bytes begin as a recording's do, whatever its name. */
export function isRecording(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, MAGIC.length)) === MAGIC;
}

/** A file that is not a whole, unaltered recording; the message says where it breaks. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

/**
 * The recording in a file's bytes, its checksums found right.
 *
 * @throws {RecordingError} when it is truncated, altered or none at all.
 */
export function readRecording(bytes: Uint8Array): Recording {
  if (!isRecording(bytes)) {
    throw new RecordingError(`This is not a recording: it does not begin with ${MAGIC}.`);
  }
  let recording: Recording | null = null;
  let burstRows = 0;
  let current: { startMs: number; frame: Frame; rows: number } | null = null;
  const finish = () => {
    if (current === null || recording === null) return;
    if (current.rows !== recording.height) throw new RecordingError("The recording has a frame with rows missing.");
    recording.frames.push({ startMs: current.startMs, frame: current.frame });
    current = null;
  };
  for (const { kind, content, place } of records(bytes)) {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    if (kind === HEADER && recording === null) {
      ({ recording, burstRows } = readHeader(content));
    } else if (recording === null) {
      throw new RecordingError(`The recording has no header before ${place}.`);
    } else if (kind === FRAME && content.length === 12) {
      finish();
      const { height, width, format } = recording;
      const samples = new Uint8Array(height * width * (format === "rgb8" ? CHANNELS : 1));
      current = { startMs: view.getFloat64(4, true) / 1000, frame: { height, width, format, samples }, rows: 0 };
    } else if (kind === ROWS && current !== null && content.length > HEADER_BYTES) {
      const halo = haloRows(recording.format);
      const stride = view.getUint32(12, true);
      const rows = view.getUint16(2, true) - 2 * halo;
      const legal =
        content[0] === VERSION &&
        PIXEL_FORMATS[content[1] as number] === recording.format &&
        rows === burstRows &&
        stride * recording.height === current.frame.samples.length &&
        view.getUint16(8, true) * burstRows === current.rows &&
        content.length === HEADER_BYTES + (rows + 2 * halo) * stride &&
        current.rows + rows <= recording.height;
      if (!legal) throw new RecordingError(`The recording’s ${place} is not the burst that is due there.`);
      const from = HEADER_BYTES + halo * stride;
      current.frame.samples.set(content.subarray(from, from + rows * stride), current.rows * stride);
      current.rows += rows;
    } else if (kind === END) {
      finish();
    } else {
      throw new RecordingError(`The recording’s ${place} is out of place.`);
    }
  }
  if (recording === null || recording.frames.length === 0) throw new RecordingError("The recording has no frame.");
  return recording;
}

function readHeader(content: Uint8Array): { recording: Recording; burstRows: number } {
  try {
    const { geometry, timing } = JSON.parse(new TextDecoder().decode(content)) as {
      geometry: { height: number; width: number; burst_rows: number; pixel_format: PixelFormat };
      timing: { line_time_us: number };
    };
    const { height, width, burst_rows: burstRows, pixel_format: format } = geometry;
    const counts = [height, width, burstRows];
    if (
      !counts.every((count) => Number.isInteger(count) && count > 0 && count < 65_536) ||
      !(timing.line_time_us >= 0) ||
      !PIXEL_FORMATS.includes(format)
    ) {
      throw new Error("fields");
    }
    return { recording: { height, width, format, lineTimeUs: timing.line_time_us, frames: [] }, burstRows };
  } catch {
    throw new RecordingError("The recording’s header can’t be read.");
  }
}

function* records(bytes: Uint8Array): Generator<{ kind: number; content: Uint8Array; place: string }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let crc = 0;
  let at = MAGIC.length;
  for (let number = 0; ; number++) {
    const place = `record ${number} at byte ${at}`;
    const truncated = () => new RecordingError(`The recording is truncated in ${place}.`);
    if (at + HEAD_BYTES > bytes.length) throw truncated();
    const length = view.getUint32(at + 1, true);
    const end = at + HEAD_BYTES + length;
    if (end + CRC_BYTES > bytes.length) throw truncated();
    crc = crc32(bytes.subarray(at, end), crc);
    if (view.getUint32(end, true) !== crc) {
      throw new RecordingError(`The recording’s ${place} is altered: its checksum is wrong.`);
    }
    const kind = bytes[at] as number;
    yield { kind, content: bytes.subarray(at + HEAD_BYTES, end), place };
    at = end + CRC_BYTES;
    if (kind === END) break;
  }
  if (at !== bytes.length) throw new RecordingError(`The recording has more after its end, at byte ${at}.`);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array, before: number): number {
  let crc = ~before;
  for (let at = 0; at < bytes.length; at++) {
    crc = (CRC_TABLE[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
