/**
 * The network in this page, worker or Node process: the kernel in WebAssembly, built by `make wasm` from the sources that
 * the service runs.
 *
 * A network remembers no frame: the hidden state is the caller's own array, as everywhere in this project.
 */

import { floatLayers, integerLayers, type Layer, type Scale, scaleOf } from "./layers.js";
import {
  type Arithmetic,
  BURST_ROWS,
  COLUMN_REDUCTION,
  type NetworkConfig,
  PIXEL_CHANNELS,
  type Weights,
  WeightsError,
} from "./weights.js";

/** How a kernel was compiled; `relaxed` may round once where others round twice, so last bits depend on the machine. */
export type Form = "scalar" | "simd128" | "relaxed";

/** Forms that exist of each arithmetic, fastest first. */
export const FORMS: Readonly<Record<Arithmetic, readonly Form[]>> = {
  float32: ["relaxed", "simd128", "scalar"],
  int8: ["simd128", "scalar"],
};

/** The name of a kernel's file in the package's folder `wasm`. */
export function kernelFile(arithmetic: Arithmetic, form: Form): string {
  return `${arithmetic}-${form}.wasm`;
}

/** A module of one function that uses an instruction of the form. */
const PROBES: Readonly<Record<Form, readonly number[]>> = {
  // i32.const 0
  scalar: [0x41, 0, 0x1a],
  // v128.const 0; i8x16.popcnt
  simd128: [0xfd, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 98, 0x1a],
  // three times i32.const 0, i32x4.splat; f32x4.relaxed_madd
  relaxed: [...[0x41, 0, 0xfd, 17], ...[0x41, 0, 0xfd, 17], ...[0x41, 0, 0xfd, 17], 0xfd, 133, 2, 0x1a],
};

/** Whether this engine takes a form. */
export function supports(form: Form): boolean {
  const code = [0, ...PROBES[form], 0x0b];
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const type = [1, 4, 1, 0x60, 0, 0];
  const declared = [3, 2, 1, 0];
  return WebAssembly.validate(
    new Uint8Array([...header, ...type, ...declared, 10, code.length + 2, 1, code.length, ...code]),
  );
}

/** The fastest form of an arithmetic's kernel that this engine takes. */
export function bestForm(arithmetic: Arithmetic): Form {
  return FORMS[arithmetic].find(supports) ?? "scalar";
}

/**
 * Compiles a kernel from its bytes, or from the answer to a request as it arrives.
 *
 * Under a policy of a page without `'wasm-unsafe-eval'` that works in a worker that was loaded from the same origin.
 */
export async function compileKernel(source: BufferSource | Response | Promise<Response>): Promise<WebAssembly.Module> {
  const found = await source;
  if (!(found instanceof Response)) return WebAssembly.compile(found);
  if (!found.ok) throw new Error(`${found.url}: status ${found.status}; expected a kernel, as \`make wasm\` builds it`);
  const named = found.headers.get("content-type")?.split(";")[0]?.trim() === "application/wasm";
  return named ? WebAssembly.compileStreaming(found) : WebAssembly.compile(await found.arrayBuffer());
}

/** What a burst gives. */
export interface StepResult {
  /** Of no person and of person. */
  logits: readonly [number, number];
  /** How likely the current decision is the final one, 0 to 1. */
  confidence: number;
  pPerson: number;
}

/** Of a float network (channels, columns) float32; of an integer network (columns, channels) int16. */
export type Hidden = Float32Array | Int16Array;

interface Exports {
  memory: WebAssembly.Memory;
  __heap_base: WebAssembly.Global;
  weight_bytes(): number;
  packed_bytes(network: number): number;
  scratch_bytes(network: number): number;
  pack(network: number, packed: number): number;
  step(
    network: number,
    packed: number,
    rows: number,
    bursts: number,
    hidden: number,
    outputs: number,
    scratch: number,
  ): number;
}

const CACHE_LINE_BYTES = 64;
const PAGE_BYTES = 65_536;
const OUTPUTS = 4;
const WEIGHT_BYTES: Readonly<Record<Arithmetic, number>> = { float32: 4, int8: 1 };
/** Bursts of one call of the kernel; longer runs of rows are passed in parts. */
const MOST_BURSTS = 64;
const LOGIT_UNIT = 2 ** -12;
const PROBABILITY_UNIT = 2 ** -15;

/** Lays a module's memory out from the end of its own data on; nothing is ever given back. */
class Room {
  private end: number;

  constructor(private readonly exports: Exports) {
    this.end = exports.__heap_base.value as number;
  }

  /** So many bytes from a cache line on. */
  take(bytes: number): number {
    const start = Math.ceil(this.end / CACHE_LINE_BYTES) * CACHE_LINE_BYTES;
    this.end = start + bytes;
    const { memory } = this.exports;
    const missing = this.end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    return start;
  }

  /** A copy of an array. */
  put(values: ArrayBufferView): number {
    const start = this.take(values.byteLength);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    new Uint8Array(this.exports.memory.buffer, start, values.byteLength).set(bytes);
    return start;
  }
}

/** The kernel's structure of a network: sizes, the addresses of the layers' arrays, and what an integer network adds. */
function describe(room: Room, config: NetworkConfig, layers: readonly Layer[], scales: readonly Scale[]): number {
  const addresses = layers.flatMap((layer) => layer.map((values) => room.put(values)));
  const sizes = [config.width, config.hiddenChannels, ...config.headChannels];
  return room.put(Int32Array.from([...sizes, ...addresses, ...scales.flat()]));
}

/** A network ready to run; `createNetwork` makes it. */
export class Network {
  readonly arithmetic: Arithmetic;
  readonly config: NetworkConfig;
  readonly labels: readonly string[];
  readonly digest: string;
  /** Bytes of memory that the kernel holds: its own, weights, scratch. */
  readonly memoryBytes: number;
  private readonly burstBytes: number;
  private readonly hiddenLength: number;
  private readonly network: number;
  private readonly packed: number;
  private readonly scratch: number;
  private readonly rows: Uint8Array;
  private readonly hidden: Hidden;
  private readonly outputs: Float32Array | Int32Array;

  constructor(
    weights: Weights,
    private readonly exports: Exports,
  ) {
    const { config, arithmetic } = weights;
    if (exports.weight_bytes() !== WEIGHT_BYTES[arithmetic]) {
      throw new WeightsError(`these are ${arithmetic} weights, and the kernel is of another arithmetic`);
    }
    this.arithmetic = arithmetic;
    this.config = config;
    this.labels = weights.labels;
    this.digest = weights.digest;
    const columns = Math.floor(config.width / COLUMN_REDUCTION);
    this.burstBytes = BURST_ROWS * config.width * PIXEL_CHANNELS;
    this.hiddenLength = config.hiddenChannels * columns;
    const room = new Room(exports);
    if (arithmetic === "float32") {
      this.network = describe(room, config, floatLayers(weights), []);
    } else {
      const { layers, gating } = integerLayers(weights);
      this.network = describe(room, config, layers, [gating, scaleOf(1 / (2 * columns))]);
    }
    const packedBytes = exports.packed_bytes(this.network);
    if (!packedBytes) throw new WeightsError(`the kernel can't run a network of ${JSON.stringify(config)}`);
    this.packed = room.take(packedBytes);
    this.scratch = room.take(exports.scratch_bytes(this.network));
    const bursts = Math.min(MOST_BURSTS, config.height / BURST_ROWS);
    const hidden = room.take(this.hiddenLength * 4);
    const outputs = room.take(bursts * OUTPUTS * 4);
    const rows = room.take(bursts * this.burstBytes);
    exports.pack(this.network, this.packed);
    const { buffer } = exports.memory; // memory grows no more
    this.memoryBytes = buffer.byteLength;
    this.rows = new Uint8Array(buffer, rows, bursts * this.burstBytes);
    const whole = arithmetic === "float32";
    this.hidden = new (whole ? Float32Array : Int16Array)(buffer, hidden, this.hiddenLength);
    this.outputs = new (whole ? Float32Array : Int32Array)(buffer, outputs, bursts * OUTPUTS);
  }

  get burstsPerFrame(): number {
    return this.config.height / BURST_ROWS;
  }

  /** The state before a frame's first burst. */
  initialHidden(): Hidden {
    return new (this.arithmetic === "float32" ? Float32Array : Int16Array)(this.hiddenLength);
  }

  /**
   * Advances `hidden` by the bursts in `rows`, and gives a result for each.
   *
   * `rows` holds one or more whole bursts, `[row][column][red, green, blue]`. `hidden` is written over. Throws `RangeError`
   * for another length of rows, `TypeError` for a state that is none of this network's; then nothing is changed.
   */
  step(rows: Uint8Array | Uint8ClampedArray, hidden: Hidden): StepResult[] {
    if (!(rows instanceof Uint8Array || rows instanceof Uint8ClampedArray)) {
      throw new TypeError("rows must be a Uint8Array or a Uint8ClampedArray");
    }
    if (!rows.length || rows.length % this.burstBytes) {
      throw new RangeError(`rows have ${rows.length} bytes, expected a multiple of ${this.burstBytes}: whole bursts`);
    }
    if (hidden?.constructor !== this.hidden.constructor || hidden.length !== this.hiddenLength) {
      const expected = `${this.hidden.constructor.name} of ${this.hiddenLength}, as initialHidden() gives it`;
      const found = hidden ? `${hidden.constructor.name} of ${hidden.length}` : String(hidden);
      throw new TypeError(`the hidden state is ${found}, expected ${expected}`);
    }
    const results: StepResult[] = [];
    this.hidden.set(hidden);
    for (let start = 0; start < rows.length; start += this.rows.length) {
      const part = rows.subarray(start, start + this.rows.length);
      const bursts = part.length / this.burstBytes;
      this.rows.set(part);
      this.exports.step(
        this.network,
        this.packed,
        this.rows.byteOffset,
        bursts,
        this.hidden.byteOffset,
        this.outputs.byteOffset,
        this.scratch,
      );
      for (let burst = 0; burst < bursts; burst++) results.push(this.result(burst));
    }
    hidden.set(this.hidden);
    return results;
  }

  private result(burst: number): StepResult {
    const output = (place: number) => this.outputs[burst * OUTPUTS + place] as number;
    const [none, person, confidence, pPerson] = [output(0), output(1), output(2), output(3)];
    if (this.arithmetic === "float32") return { logits: [none, person], confidence, pPerson };
    return {
      logits: [none * LOGIT_UNIT, person * LOGIT_UNIT],
      confidence: confidence * PROBABILITY_UNIT,
      pPerson: pPerson * PROBABILITY_UNIT,
    };
  }
}

const EXPORTS: readonly (keyof Exports)[] = ["weight_bytes", "packed_bytes", "scratch_bytes", "pack", "step"];

/** Whether a module is a kernel of this package, of whichever arithmetic. */
export function isKernel(module: WebAssembly.Module): boolean {
  const names = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  return WebAssembly.Module.imports(module).length === 0 && EXPORTS.every((name) => names.has(name));
}

/**
 * A network of weights on a kernel of their arithmetic, in a memory of its own.
 *
 * Throws `WeightsError` for weights that are no network's, or of a size that the kernel doesn't take.
 */
export async function createNetwork(weights: Weights, kernel: WebAssembly.Module): Promise<Network> {
  const instance = await WebAssembly.instantiate(kernel, {});
  return new Network(weights, instance.exports as unknown as Exports);
}
