/** The layers of a network as the kernel takes them: floats with batch norm folded in, integers as they stand. */

import {
  CLASSES,
  HEADS,
  KERNEL_ROWS,
  type NetworkConfig,
  PIXEL_CHANNELS,
  REDUCTION,
  type Values,
  type Weights,
  WeightsError,
} from "./weights.js";

/** In the order of the kernel's `rascanet_layers` and `rascanet_integer_network`. */
export const LAYERS = [
  ...KERNEL_ROWS.flatMap((_, block) => Array.from({ length: HEADS }, (_, head) => `conv${HEADS * block + head}`)),
  ...["squeeze", "excite", "project0", "project1", "gate0", "gate1", "gate2", "reduce", "classify", "confidence"],
];

/** A layer's arrays, in the order of the kernel's structure. */
export type Layer = readonly Values[];

const BATCH_NORM_EPSILON = 1e-5;

/** Inputs, outputs and the size of the kernel of each layer. */
interface Sizes {
  outputs: number;
  inputs: number;
  /** (kernel rows, taps) of a convolution over pixels or columns. */
  kernel: readonly number[];
}

const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);

function sizesOf({ headChannels, hiddenChannels: hidden }: NetworkConfig): Record<string, Sizes> {
  const channels = [PIXEL_CHANNELS, ...headChannels];
  const features = HEADS * headChannels[3];
  const reduced = hidden / REDUCTION;
  const dense = (outputs: number, inputs: number): Sizes => ({ outputs, inputs, kernel: [] });
  const sizes: Record<string, Sizes> = {
    squeeze: dense(reduced, features + hidden),
    excite: dense(features, reduced),
    project0: { outputs: hidden, inputs: features, kernel: [1, 3] },
    project1: { outputs: hidden, inputs: hidden, kernel: [1, 3] },
    gate0: dense(hidden, 2 * hidden),
    gate1: dense(hidden, 2 * hidden),
    gate2: dense(hidden, 2 * hidden),
    reduce: dense(reduced, hidden),
    classify: dense(CLASSES, reduced),
    confidence: dense(1, hidden),
  };
  for (const [block, rows] of KERNEL_ROWS.entries()) {
    for (let head = 0; head < HEADS; head++) {
      const [inputs, outputs] = [channels[block] as number, channels[block + 1] as number];
      sizes[`conv${HEADS * block + head}`] = { outputs, inputs, kernel: [rows, 3] };
    }
  }
  return sizes;
}

/** Takes tensors out of weights by name and size, and says which were not asked for. */
class Taker {
  private readonly left: Set<string>;

  constructor(private readonly weights: Weights) {
    this.left = new Set(weights.tensors.keys());
  }

  take<T extends Values>(
    name: string,
    expected: readonly number[],
    type: { new (length: number): T; name: string },
  ): T {
    const tensor = this.weights.tensors.get(name);
    if (!tensor) throw new WeightsError(`tensor ${name} is missing`);
    this.left.delete(name);
    const { values, shape } = tensor;
    if (!(values instanceof type))
      throw new WeightsError(`tensor ${name} is ${values.constructor.name}, expected ${type.name}`);
    const [found, wanted] = [shape.join("x"), expected.join("x")];
    if (found !== wanted) throw new WeightsError(`tensor ${name} has the shape ${found}, expected ${wanted}`);
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i])) throw new WeightsError(`tensor ${name} holds values that are not finite`);
    }
    return values;
  }

  end(): void {
    const [surplus] = this.left;
    if (surplus !== undefined) throw new WeightsError(`tensor ${surplus} is not part of this network`);
  }
}

/** A layer's names in the file: of itself, of its batch norm; its kernel there; whether it has a bias of its own. */
interface Named {
  layer: string;
  norm?: string;
  kernel?: readonly number[];
  bias?: boolean;
}

function floatNames(): Record<string, Named> {
  const names: Record<string, Named> = {
    squeeze: { layer: "attention.squeeze", kernel: [1], bias: true },
    excite: { layer: "attention.excite", kernel: [1], bias: true },
    project0: { layer: "projection.conv1", norm: "projection.norm1", kernel: [3] },
    project1: { layer: "projection.conv2", norm: "projection.norm2", kernel: [3] },
    gate0: { layer: "gru.reset", kernel: [1], bias: true },
    gate1: { layer: "gru.update", kernel: [1], bias: true },
    gate2: { layer: "gru.candidate", kernel: [1], bias: true },
    reduce: { layer: "classifier.reduce", norm: "classifier.norm", bias: true },
    classify: { layer: "classifier.classify", bias: true },
    confidence: { layer: "confidence", bias: true },
  };
  for (const [block, rows] of KERNEL_ROWS.entries()) {
    for (let head = 0; head < HEADS; head++) {
      names[`conv${HEADS * block + head}`] = {
        layer: `heads.${head}.${block}.conv`,
        norm: `heads.${head}.${block}.norm`,
        kernel: [rows, 3],
      };
    }
  }
  return names;
}

/** Weight and bias with batch norm folded in, in doubles as model/folding.py does it. */
function folded(taker: Taker, { layer, norm, kernel = [], bias }: Named, { outputs, inputs }: Sizes): Layer {
  const each = product([inputs, ...kernel]);
  const weights = taker.take(`${layer}.weight`, [outputs, inputs, ...kernel], Float32Array);
  const biases = bias ? taker.take(`${layer}.bias`, [outputs], Float32Array) : new Float32Array(outputs);
  if (!norm) return [weights, biases];
  const [gamma, beta, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((part) =>
    taker.take(`${norm}.${part}`, [outputs], Float32Array),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  if (variance.some((value) => value < 0)) throw new WeightsError(`tensor ${norm}.running_var holds variances below 0`);
  const [scaled, moved] = [new Float32Array(weights.length), new Float32Array(outputs)];
  for (let output = 0, i = 0; output < outputs; output++) {
    const scale = (gamma[output] as number) / Math.sqrt((variance[output] as number) + BATCH_NORM_EPSILON);
    moved[output] = ((biases[output] as number) - (mean[output] as number)) * scale + (beta[output] as number);
    for (const end = i + each; i < end; i++) scaled[i] = (weights[i] as number) * scale;
  }
  return [scaled, moved];
}

/** Layers of floats, in the order of `LAYERS`: weight, bias. */
export function floatLayers(weights: Weights): Layer[] {
  const taker = new Taker(weights);
  const sizes = sizesOf(weights.config);
  const names = floatNames();
  const layers = LAYERS.map((name) => folded(taker, names[name] as Named, sizes[name] as Sizes));
  taker.end();
  return layers;
}

/** A multiplier of 2^30 or more times 2 to the power of a shift. */
export type Scale = readonly [multiplier: number, shift: number];

export interface IntegerLayers {
  /** In the order of `LAYERS`: weight, bias, multiplier, shift. */
  layers: Layer[];
  /** From a feature times its gate to the gated feature. */
  gating: Scale;
}

const LEAST_SHIFT = -31;
const MOST_SHIFT = 30;

function checkScale(name: string, multipliers: Int32Array, shifts: Int8Array | Int32Array, mostShift: number): void {
  if (multipliers.some((value) => value !== 0 && value < 2 ** 30)) {
    throw new WeightsError(`a multiplier of ${name} is neither 0 nor 2^30 or more`);
  }
  if (shifts.some((value) => value < LEAST_SHIFT || value > mostShift)) {
    throw new WeightsError(`a shift of ${name} is not ${LEAST_SHIFT} to ${mostShift}`);
  }
}

/** Layers whose outputs have a fixed scale, and may have any shift; the others' outputs are bytes. */
const FIXED = /^(excite|gate\d|reduce|classify|confidence)$/;
/** Their sums of bytes are multiplied by 2 to the power of 8, and then the state, in 16 bits, is added. */
const MIXED = /^(squeeze|gate\d)$/;
/** They read 16 bits alone. */
const WIDE = /^(reduce|classify|confidence)$/;

/** Refuses what model/integer/network.py refuses: numbers with which a sum or a value could leave its range. */
function checkNumbers(name: string, [weight, bias, multiplier, shift]: IntegerLayer, hidden: number): void {
  if (weight.includes(-128)) throw new WeightsError(`${name}.weight holds -128; weights are -127 to 127`);
  checkScale(name, multiplier, shift, FIXED.test(name) ? MOST_SHIFT : -1);
  const limit = /^(conv|project)/.test(name) ? 2 ** 30 : 2 ** 31;
  const inputs = weight.length / bias.length;
  const wideFrom = MIXED.test(name) ? inputs - hidden : WIDE.test(name) ? 0 : inputs;
  const narrow = MIXED.test(name) ? 255 * 2 ** 8 : 255;
  for (let output = 0, at = 0; output < bias.length; output++) {
    let most = Math.abs(bias[output] as number);
    for (let input = 0; input < inputs; input++, at++) {
      most += Math.abs(weight[at] as number) * (input < wideFrom ? narrow : 2 ** 15);
    }
    if (most >= limit) throw new WeightsError(`a sum of ${name} could reach ${most}; sums stay below ${limit}`);
    const value = most * (multiplier[output] as number) * 2 ** ((shift[output] as number) - 31);
    if (value >= 2 ** 31 - 1) throw new WeightsError(`a value of ${name} could reach ${value}, past int32`);
  }
}

type IntegerLayer = readonly [weight: Int8Array, bias: Int32Array, multiplier: Int32Array, shift: Int8Array];

/** Layers of integers. */
export function integerLayers(weights: Weights): IntegerLayers {
  const taker = new Taker(weights);
  const sizes = sizesOf(weights.config);
  const layers = LAYERS.map((name) => {
    const { outputs, inputs, kernel } = sizes[name] as Sizes;
    const weight = taker.take(`${name}.weight`, [outputs, ...kernel, inputs], Int8Array);
    const bias = taker.take(`${name}.bias`, [outputs], Int32Array);
    const multiplier = taker.take(`${name}.multiplier`, [outputs], Int32Array);
    const shift = taker.take(`${name}.shift`, [outputs], Int8Array);
    checkNumbers(name, [weight, bias, multiplier, shift], weights.config.hiddenChannels);
    return [weight, bias, multiplier, shift];
  });
  const gating = taker.take("gating", [2], Int32Array);
  checkScale("gating", gating.subarray(0, 1), gating.subarray(1), -1);
  taker.end();
  return { layers, gating: [gating[0] as number, gating[1] as number] };
}

/** The multiplier and shift that come nearest to a scale from 2^-31 to below 1, as model/integer/arithmetic.py has it. */
export function scaleOf(scale: number): Scale {
  if (!(scale >= 2 ** -31 && scale < 1)) throw new RangeError(`a scale is 2^-31 or more and below 1, not ${scale}`);
  let mantissa = scale;
  let shift = 0;
  for (; mantissa < 0.5; shift--) mantissa *= 2;
  const multiplier = Math.round(mantissa * 2 ** 31);
  return multiplier === 2 ** 31 ? [2 ** 30, shift + 1] : [multiplier, shift];
}
