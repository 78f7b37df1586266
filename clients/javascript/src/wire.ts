/**
 * Messages to bytes and back: the client's half of the websocket subprotocol `rascanet.v1` (PROTOCOL.md). No I/O.
 *
 * Fields keep the names they have on the wire. `tests/vectors/wire.json` holds this file and sensor_sim/wire.py together.
 */

export const SUBPROTOCOL = "rascanet.v1";
export const VERSION = 1;
export const HEADER_BYTES = 24;
export const CHANNELS = 3;

/** What one pixel of a row is; the header carries the index. Bayer rows come with one row above and one below. */
export const PIXEL_FORMATS = ["rgb8", "mono8", "bayer_rggb8", "bayer_bggr8", "bayer_grbg8", "bayer_gbrg8"] as const;
export type PixelFormat = (typeof PIXEL_FORMATS)[number];
/** Of a text message; a token with the larger network's hidden state takes about 4,500. */
export const MAX_TEXT_LENGTH = 16_384;

/** Name of an exit policy and its parameters. */
export type Policy = { name: string } & Record<string, unknown>;

/** Consecutive bursts of one frame, in one binary message. */
export interface Rows {
  frame_id: number;
  first_burst: number;
  bursts: number;
  /** When the last row left the sensor, microseconds since the stream began. */
  readout_us: number;
  width: number;
  /** uint8, row after row. */
  rows: Uint8Array;
  pixel_format: PixelFormat;
}

export interface Hello {
  type: "hello";
  variant: string;
  /** Null: the service's default, which `welcome` tells. */
  policy: Policy | null;
  progress_every: number;
  pixel_format: PixelFormat;
  /** A `checkpoint` every n bursts of a frame; 0 for none. */
  checkpoint_every?: number;
}

/** First message of a client that goes on where another connection ended; the answer is `welcome`. */
export interface Resume {
  type: "resume";
  token: string;
}

/** Where a resumed stream goes on: the last frame the token knows of, and the first burst of it still wanted. */
export interface Position {
  frame_id: number;
  next_burst: number;
  /** The first burst wanted of a frame that is over and under audit. */
  audit_burst?: number | null;
}

/** Comes back as it is, after the answers to everything sent before it. */
export interface Sync {
  type: "sync";
  token: number;
}

/** Gives up the frame in progress, or one that has not begun; the answer is `abandoned`. */
export interface Abandon {
  type: "abandon";
  frame_id: number;
}

export interface End {
  type: "end";
}

export interface Welcome {
  type: "welcome";
  variant: string;
  height: number;
  width: number;
  burst_rows: number;
  bursts_per_frame: number;
  policy: Record<string, unknown>;
  progress_every: number;
  weights: string;
  limits: Record<string, unknown>;
  pixel_format: PixelFormat;
  /** Bursts that may be sent on this connection before a larger number comes; without it there is no bound. */
  credits?: number;
  /** To begin again from here. */
  token?: string;
  position?: Position | null;
}

export interface Progress {
  type: "progress";
  frame_id: number;
  burst_index: number;
  p_person: number;
  confidence: number;
}

export interface Skip {
  type: "skip";
  frame_id: number;
  burst_index: number;
}

export interface Decision {
  type: "decision";
  frame_id: number;
  /** The last burst processed, on which the decision rests. */
  burst_index: number;
  p_person: number;
  person: boolean;
  /** True if the rest of the frame is not wanted, but for an audit; false if it was read to its end. */
  exited: boolean;
  processed: number;
  skipped: number;
  unread: number;
  /** What the network took over the frame's bursts, as the server measured it. */
  compute_us?: number;
  credits?: number;
  token?: string;
  /** SHA-256 of the certificate that promises something about this decision. */
  certificate?: string;
  /** True if the rest of the frame is wanted all the same, as a check of the exit. */
  audit?: boolean;
}

/** The server is behind and does not look at this frame: no decision comes. */
export interface Shed {
  type: "shed";
  frame_id: number;
}

/** The frame is over; if its decision came before this message, the decision holds. */
export interface Abandoned {
  type: "abandoned";
  frame_id: number;
  credits: number;
  /** To go on after this frame. */
  token: string;
}

/** So many bursts may now have been sent on this connection. */
export interface Credit {
  type: "credit";
  credits: number;
}

/** A token to go on within the frame, with the burst after `burst_index`. */
export interface Checkpoint {
  type: "checkpoint";
  frame_id: number;
  burst_index: number;
  credits: number;
  token: string;
}

/** The server ends the stream soon. */
export interface GoingAway {
  type: "going_away";
  reason: string;
  seconds: number;
  token: string;
}

export interface Summary {
  type: "summary";
  frames: number;
  persons: number;
  exited: number;
  processed: number;
  skipped: number;
  unread: number;
  /** Of the unread bursts, those that were wanted all the same, for audits. */
  audited?: number;
}

export interface ErrorMessage {
  type: "error";
  code: string;
  message: string;
}

export type ClientControl = Hello | Resume | Abandon | Sync | End;
export type ServerControl =
  | Welcome
  | Progress
  | Skip
  | Decision
  | Abandoned
  | Shed
  | Credit
  | Checkpoint
  | GoingAway
  | Sync
  | Summary
  | ErrorMessage;

/** A message that is not of this protocol; `code` as in PROTOCOL.md. */
export class WireError extends Error {
  override readonly name = "WireError";

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The binary message: header of 24 bytes, little-endian, then the pixels. */
export function encodeRows(message: Rows): Uint8Array<ArrayBuffer> {
  const rowBytes = message.width * (message.pixel_format === "rgb8" ? CHANNELS : 1);
  const count = message.rows.length / rowBytes;
  const ownRows = count - (message.pixel_format.startsWith("bayer") ? 2 : 0);
  if (!Number.isInteger(count) || ownRows < 1 || ownRows % message.bursts !== 0) {
    throw new WireError(
      "malformed_rows",
      `${message.rows.length} bytes are not ${message.bursts} bursts of whole rows`,
    );
  }
  const bytes = new Uint8Array(HEADER_BYTES + message.rows.length);
  const header = new DataView(bytes.buffer);
  header.setUint8(0, VERSION);
  header.setUint8(1, PIXEL_FORMATS.indexOf(message.pixel_format));
  header.setUint16(2, count, true);
  header.setUint32(4, message.frame_id, true);
  header.setUint16(8, message.first_burst, true);
  header.setUint16(10, message.bursts, true);
  header.setUint32(12, rowBytes, true);
  header.setBigUint64(16, BigInt(message.readout_us), true);
  bytes.set(message.rows, HEADER_BYTES);
  return bytes;
}

/** Compact JSON text; the order of the keys is part of the shared vectors. */
export function encodeControl(message: ClientControl): string {
  if (message.type === "end") return JSON.stringify({ type: "end" });
  if (message.type === "abandon") return JSON.stringify({ type: "abandon", frame_id: message.frame_id });
  if (message.type !== "hello") return JSON.stringify({ type: message.type, token: message.token });
  const { type, variant, policy, progress_every, pixel_format, checkpoint_every } = message;
  return JSON.stringify({ type, variant, policy, progress_every, pixel_format, checkpoint_every });
}

type Check = (value: unknown) => boolean;

const count: Check = (value) => typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32;
const share: Check = (value) => typeof value === "number" && value >= 0 && value <= 1;
const flag: Check = (value) => typeof value === "boolean";
const name: Check = (value) => typeof value === "string" && value.length > 0 && value.length <= 1000;
const format: Check = (value) => PIXEL_FORMATS.some((known) => known === value);
const amount: Check = (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const seconds: Check = (value) => typeof value === "number" && value >= 0;
const token: Check = (value) => typeof value === "string" && value.length <= 12_000;
const digest: Check = (value) => typeof value === "string" && /^[0-9a-f]{0,64}$/.test(value);
const object: Check = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const position: Check = (value) => {
  if (value === null) return true;
  const { frame_id, next_burst, audit_burst = null } = (object(value) ? value : {}) as Record<string, unknown>;
  return count(frame_id) && count(next_burst) && (audit_burst === null || count(audit_burst));
};

interface Field {
  check: Check;
  /** Whether a message without it is complete. */
  optional: boolean;
}

const needed = (check: Check): Field => ({ check, optional: false });
const optional = (check: Check): Field => ({ check, optional: true });

const FIELDS: {
  [T in ServerControl["type"]]: Record<Exclude<keyof Extract<ServerControl, { type: T }>, "type">, Field>;
} = {
  welcome: {
    variant: needed(name),
    height: needed(count),
    width: needed(count),
    burst_rows: needed(count),
    bursts_per_frame: needed(count),
    policy: needed(object),
    progress_every: needed(count),
    weights: needed(name),
    limits: needed(object),
    pixel_format: needed(format),
    credits: optional(amount),
    token: optional(token),
    position: optional(position),
  },
  progress: {
    frame_id: needed(count),
    burst_index: needed(count),
    p_person: needed(share),
    confidence: needed(share),
  },
  skip: { frame_id: needed(count), burst_index: needed(count) },
  decision: {
    frame_id: needed(count),
    burst_index: needed(count),
    p_person: needed(share),
    person: needed(flag),
    exited: needed(flag),
    processed: needed(count),
    skipped: needed(count),
    unread: needed(count),
    compute_us: optional(count),
    credits: optional(amount),
    token: optional(token),
    certificate: optional(digest),
    audit: optional(flag),
  },
  abandoned: { frame_id: needed(count), credits: needed(amount), token: needed(token) },
  shed: { frame_id: needed(count) },
  credit: { credits: needed(amount) },
  checkpoint: {
    frame_id: needed(count),
    burst_index: needed(count),
    credits: needed(amount),
    token: needed(token),
  },
  going_away: { reason: needed(name), seconds: needed(seconds), token: needed(token) },
  sync: { token: needed(count) },
  summary: {
    frames: needed(count),
    persons: needed(count),
    exited: needed(count),
    processed: needed(count),
    skipped: needed(count),
    unread: needed(count),
    audited: optional(count),
  },
  error: { code: needed(name), message: needed(name) },
};

/**
 * The message in a text frame from the server; fields that this release does not know are left out.
 *
 * @throws {WireError} `malformed_json`, `unknown_type` (names the type), `bad_field`.
 */
export function decodeControl(text: string): ServerControl {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new WireError("malformed_json", `a text message has at most ${MAX_TEXT_LENGTH} characters`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new WireError("malformed_json", "a text message must be JSON");
  }
  if (!object(content)) throw new WireError("malformed_json", "a text message must be a JSON object");
  const said = content as Record<string, unknown>;
  const { type } = said;
  if (typeof type !== "string" || !Object.hasOwn(FIELDS, type)) {
    const shown = JSON.stringify(type)?.slice(0, 40);
    throw new WireError("unknown_type", `this client knows no message of the type ${shown} from a server`);
  }
  const known: Record<string, unknown> = { type };
  for (const [name, { check, optional }] of Object.entries<Field>(FIELDS[type as ServerControl["type"]])) {
    if (!Object.hasOwn(said, name)) {
      if (optional) continue;
      throw new WireError("bad_field", `${type}: the field "${name}" is missing`);
    }
    if (!check(said[name])) throw new WireError("bad_field", `${type}: the field "${name}" is impossible`);
    known[name] = said[name];
  }
  return known as unknown as ServerControl;
}
