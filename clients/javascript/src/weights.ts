/**
 * Files of weights, as `rascanet train` and `rascanet quantize` write them and as the service loads them: safetensors
 * with `format`, `config`, `labels`, `provenance` and `digest` in the metadata. Python's side is model/checkpoint.py and
 * model/integer/checkpoint.py.
 */

/** The numbers that a network computes in. */
export type Arithmetic = "float32" | "int8";

/** The network's shape; every other size follows from it. */
export interface NetworkConfig {
  /** Rows and columns of a frame, px. */
  height: number;
  width: number;
  /** Output channels of the four blocks of a head. */
  headChannels: readonly [number, number, number, number];
  hiddenChannels: number;
}

export type Values = Float32Array<ArrayBuffer> | Int8Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

export interface Tensor {
  shape: readonly number[];
  values: Values;
}

export interface Weights {
  arithmetic: Arithmetic;
  config: NetworkConfig;
  /** Names of the classes, no person before person. */
  labels: readonly string[];
  /** Facts on how the weights came to be. */
  provenance: Readonly<Record<string, unknown>>;
  /** SHA-256 over config and tensors, as the file says: tokens and certificates name weights by it. */
  digest: string;
  tensors: ReadonlyMap<string, Tensor>;
}

/** A file of weights that can't be used; the message names the first thing wrong with it. */
export class WeightsError extends Error {
  override readonly name = "WeightsError";
}

/** Rows of a burst, samples of a pixel, pixels to a column of the hidden state. */
export const BURST_ROWS = 5;
export const PIXEL_CHANNELS = 3;
export const COLUMN_REDUCTION = 16;
/** Heads of the network, blocks of a head, and the rows that each block's convolution reads. */
export const HEADS = 2;
export const KERNEL_ROWS = [3, 1, 3, 1] as const;
/** Attention and classifier have a bottleneck of this part of their channels. */
export const REDUCTION = 4;
/** Names of the classes, in the order of the logits. */
const LABELS = ["no person", "person"];
export const CLASSES = LABELS.length;
/** The largest sizes that a network has: rows and columns of a frame, channels. */
const MOST_PX = 4096;
const MOST_HEAD_CHANNELS = 512;
const MOST_HIDDEN_CHANNELS = 1024;

const FORMATS: Readonly<Record<string, Arithmetic>> = {
  "rascanet-stream/1": "float32",
  "rascanet-stream int8/1": "int8",
};
const MOST_FILE_BYTES = 256 * 2 ** 20;
const MOST_HEADER_BYTES = 2 ** 20;

/**
 * float16 as float32; exact. Exponent and fraction are moved to their place, and a product makes up for the exponents'
 * other origin. One plain loop: weights are read once, before an engine has made anything of calls for each value fast.
 */
function fromFloat16(content: ArrayBuffer): Float32Array<ArrayBuffer> {
  const from = new Uint16Array(content);
  const values = new Float32Array(from.length);
  const places = new Uint32Array(values.buffer);
  for (let i = 0; i < from.length; i++) {
    const bits = from[i] as number;
    places[i] = ((bits & 0x8000) << 16) | ((bits & 0x7fff) << 13);
    const finite = (bits & 0x7c00) !== 0x7c00;
    if (finite) values[i] = (values[i] as number) * 2 ** 112;
    else places[i] = (places[i] as number) | 0x7f800000;
  }
  return values;
}

/** How tensors lie in a file, by safetensors' names of types; float16 becomes float32. */
const TYPES: Readonly<Record<string, { bytes: number; read: (content: ArrayBuffer) => Values }>> = {
  F32: { bytes: 4, read: (content) => new Float32Array(content) },
  F16: { bytes: 2, read: fromFloat16 },
  I32: { bytes: 4, read: (content) => new Int32Array(content) },
  I8: { bytes: 1, read: (content) => new Int8Array(content) },
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parsed(text: unknown, part: string): unknown {
  if (typeof text !== "string") throw new WeightsError(`the metadata lacks ${part}`);
  try {
    return JSON.parse(text);
  } catch {
    throw new WeightsError(`the metadata's ${part} is not JSON`);
  }
}

function readConfig(value: unknown): NetworkConfig {
  const fields = isRecord(value) ? value : {};
  const { height, width, head_channels: head, hidden_channels: hiddenChannels } = fields;
  if (!isCount(height) || !isCount(width) || !isCount(hiddenChannels) || !Array.isArray(head) || !head.every(isCount)) {
    throw new WeightsError(
      "the metadata's config is not height, width, head_channels and hidden_channels, all integers",
    );
  }
  if (height < BURST_ROWS || height > MOST_PX || height % BURST_ROWS) {
    throw new WeightsError(
      `height must be a multiple of ${BURST_ROWS} rows, ${BURST_ROWS} to ${MOST_PX}, not ${height}`,
    );
  }
  if (width < COLUMN_REDUCTION || width > MOST_PX) {
    throw new WeightsError(`width must be ${COLUMN_REDUCTION} to ${MOST_PX} px, not ${width}`);
  }
  if (!hiddenChannels || hiddenChannels > MOST_HIDDEN_CHANNELS || hiddenChannels % REDUCTION) {
    const rule = `a multiple of ${REDUCTION}, ${REDUCTION} to ${MOST_HIDDEN_CHANNELS}`;
    throw new WeightsError(`hidden_channels must be ${rule}, not ${hiddenChannels}`);
  }
  const [first, second, third, last] = head;
  const fits = head.every((count) => count <= MOST_HEAD_CHANNELS);
  if (head.length !== KERNEL_ROWS.length || !first || !second || !third || !last || !fits) {
    const rule = `four counts of 1 to ${MOST_HEAD_CHANNELS}`;
    throw new WeightsError(`head_channels must be ${rule}, not ${JSON.stringify(head).slice(0, 100)}`);
  }
  return { height, width, headChannels: [first, second, third, last], hiddenChannels };
}

function readTensor(name: string, entry: unknown, data: Uint8Array): Tensor {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  const type = typeof dtype === "string" ? TYPES[dtype] : undefined;
  if (!type) throw new WeightsError(`tensor ${name} is ${dtype}, expected ${Object.keys(TYPES).join(", ")}`);
  const [start, end] = Array.isArray(offsets) ? offsets : [];
  if (!Array.isArray(shape) || !shape.every(isCount) || !isCount(start) || !isCount(end)) {
    throw new WeightsError(`tensor ${name} lacks its shape or place`);
  }
  const bytes = shape.reduce((product, size) => product * size, type.bytes);
  if (end - start !== bytes || end > data.length) {
    throw new WeightsError(
      `tensor ${name} of shape ${shape.join("x")} lies at bytes ${start} to ${end} of ${data.length}`,
    );
  }
  return { shape, values: type.read(data.slice(start, end).buffer) };
}

/**
 * Reads a file of weights of either arithmetic.
 *
 * Throws `WeightsError` where the file is none of this project's, or damaged.
 */
export function readWeights(file: ArrayBuffer | Uint8Array): Weights {
  // A view of one's own: `slice` of Node's buffers doesn't copy.
  const bytes =
    file instanceof Uint8Array ? new Uint8Array(file.buffer, file.byteOffset, file.length) : new Uint8Array(file);
  if (bytes.length < 8 || bytes.length > MOST_FILE_BYTES) {
    throw new WeightsError(`a file of weights has 8 to ${MOST_FILE_BYTES} bytes, not ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > Math.min(MOST_HEADER_BYTES, bytes.length - 8)) {
    throw new WeightsError(`not a safetensors file: its header would have ${headerBytes} bytes`);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + headerBytes)));
  } catch {
    throw new WeightsError("not a safetensors file: its header is not JSON");
  }
  if (!isRecord(header)) throw new WeightsError("not a safetensors file: its header is no object");
  const { __metadata__: metadata, ...entries } = header;
  const { format, config, labels, provenance, digest } = isRecord(metadata) ? metadata : {};
  const arithmetic = typeof format === "string" ? FORMATS[format] : undefined;
  if (!arithmetic) {
    const expected = Object.keys(FORMATS).map((name) => JSON.stringify(name));
    throw new WeightsError(`the metadata's format is ${JSON.stringify(format)}, expected ${expected.join(" or ")}`);
  }
  if (typeof digest !== "string") throw new WeightsError("the metadata lacks digest");
  const names = parsed(labels, "labels");
  const facts = parsed(provenance, "provenance");
  if (!Array.isArray(names) || names.length !== CLASSES || !LABELS.every((label, at) => label === names[at])) {
    throw new WeightsError(`the metadata's labels are not ${LABELS.join(", ")}`);
  }
  if (!isRecord(facts)) throw new WeightsError("the metadata's provenance is no object");
  const data = bytes.subarray(8 + headerBytes);
  return {
    arithmetic,
    config: readConfig(parsed(config, "config")),
    labels: LABELS,
    provenance: facts,
    digest,
    tensors: new Map(Object.entries(entries).map(([name, entry]) => [name, readTensor(name, entry, data)])),
  };
}
