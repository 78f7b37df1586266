import { expect, test } from "vitest";
import { readWeights, WeightsError } from "../src/index.js";
import { floatLayers, integerLayers, scaleOf } from "../src/layers.js";
import type { Tensor } from "../src/weights.js";
import { fileOf, metadataOf, shippedFile, shippedWeights } from "./weights-files.js";

const VARIANT = "105x120";

test("the shipped files of either arithmetic are read", () => {
  for (const arithmetic of ["float32", "int8"] as const) {
    const weights = shippedWeights(VARIANT, arithmetic);
    expect(weights).toMatchObject({
      arithmetic,
      labels: ["no person", "person"],
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(weights.config).toEqual({ height: 105, width: 120, headChannels: [5, 9, 18, 32], hiddenChannels: 40 });
  }
});

test("float16 stands for every value exactly", () => {
  const tensors = shippedWeights(VARIANT, "float32").tensors;
  const bits = Uint16Array.from({ length: 0x10000 }, (_, value) => value);
  const file = fileOf(metadataOf(shippedFile(VARIANT, "float32")), { all: { shape: [bits.length], values: bits } });
  const read = readWeights(file).tensors.get("all")?.values as Float32Array;
  expect(tensors.size).toBeGreaterThan(0);
  expect([0x0000, 0x0001, 0x03ff, 0x0400, 0x3c00, 0x3555, 0x7bff, 0xc000].map((value) => read[value])).toEqual([
    0,
    2 ** -24,
    1023 * 2 ** -24,
    2 ** -14,
    1,
    0.333251953125,
    65504,
    -2,
  ]);
  bits.forEach((value) => {
    const [sign, exponent, fraction] = [value >> 15, (value >> 10) & 31, value & 1023];
    if (exponent === 31) return;
    const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
    if (!Object.is(read[value], sign ? -size : size)) throw new Error(`${value} became ${read[value]}, not ${size}`);
  });
  expect(Object.is(read[0x8000], -0)).toBe(true);
  expect([read[0x7c00], read[0xfc00], read[0x7e00]]).toEqual([Infinity, -Infinity, NaN]);
});

test.each([
  ["nothing", (file: Uint8Array) => file.subarray(0, 4), "a file of weights has 8 to"],
  [
    "something else",
    () => new TextEncoder().encode("<!doctype html><title>not found</title>"),
    "its header would have",
  ],
  ["a cut file", (file: Uint8Array) => file.subarray(0, file.length - 1), "lies at bytes"],
  ["a cut header", (file: Uint8Array) => file.subarray(0, 100), "its header would have"],
  [
    "a damaged header",
    (file: Uint8Array) => file.map((value, at) => (at === 20 ? 0 : value)),
    "its header is not JSON",
  ],
])("%s is refused", (_, damage, words) => {
  const attempt = () => readWeights(damage(shippedFile(VARIANT, "float32")));
  expect(attempt).toThrow(WeightsError);
  expect(attempt).toThrow(words);
});

test.each([
  [{ format: "other/1" }, 'format is "other/1", expected "rascanet-stream/1" or "rascanet-stream int8/1"'],
  [{ config: "{}" }, "config is not height, width"],
  [
    { config: '{"height":7,"width":120,"head_channels":[1,1,1,1],"hidden_channels":4}' },
    "multiple of 5 rows, 5 to 4096, not 7",
  ],
  [{ config: '{"height":5,"width":120,"head_channels":[1,1,1],"hidden_channels":4}' }, "four counts of 1 to 512"],
  [{ config: '{"height":5,"width":15,"head_channels":[1,1,1,1],"hidden_channels":4}' }, "16 to 4096 px, not 15"],
  [
    { config: '{"height":5,"width":16,"head_channels":[1,1,1,1],"hidden_channels":6}' },
    "multiple of 4, 4 to 1024, not 6",
  ],
  [{ config: '{"height":5,"width":4294967312,"head_channels":[1,1,1,1],"hidden_channels":4}' }, "not 4294967312"],
  [{ config: '{"height":4100,"width":16,"head_channels":[1,1,1,1],"hidden_channels":4}' }, "5 to 4096, not 4100"],
  [{ config: '{"height":5,"width":16,"head_channels":[1,1,1,513],"hidden_channels":4}' }, "four counts of 1 to 512"],
  [{ config: '{"height":5,"width":16,"head_channels":[1,1,1,1],"hidden_channels":1028}' }, "4 to 1024, not 1028"],
  [{ labels: "[" }, "labels is not JSON"],
  [{ labels: '["person","no person"]' }, "labels are not no person, person"],
  [{ labels: "[]" }, "labels are not no person, person"],
  [{ provenance: "[]" }, "provenance is no object"],
])("metadata %j is refused", (change, words) => {
  const metadata = { ...metadataOf(shippedFile(VARIANT, "float32")), ...change };
  expect(() => readWeights(fileOf(metadata, {}))).toThrow(words);
});

test("tensors that are not the network's are named", () => {
  const weights = shippedWeights(VARIANT, "float32");
  const changed = (change: (tensors: Map<string, never>) => void) => {
    const tensors = new Map(weights.tensors);
    change(tensors as Map<string, never>);
    return { ...weights, tensors };
  };
  expect(() => floatLayers(changed((tensors) => tensors.delete("confidence.bias")))).toThrow(
    "confidence.bias is missing",
  );
  const values = new Float32Array(1);
  const one = { shape: [1], values } as never;
  expect(() => floatLayers(changed((tensors) => tensors.set("more", one)))).toThrow("more is not part of this network");
  expect(() => floatLayers(changed((tensors) => tensors.set("gru.reset.bias", one)))).toThrow(
    "has the shape 1, expected 40",
  );
  const turned = { ...(weights.tensors.get("attention.excite.weight") as object), shape: [10, 64, 1] } as never;
  expect(() => floatLayers(changed((tensors) => tensors.set("attention.excite.weight", turned)))).toThrow(
    "has the shape 10x64x1, expected 64x10x1",
  );
  const nan = { shape: [1], values: new Float32Array([Number.NaN]) } as never;
  expect(() => floatLayers(changed((tensors) => tensors.set("confidence.bias", nan)))).toThrow("not finite");
  const below = { shape: [40], values: new Float32Array(40).fill(-0.5) } as never;
  expect(() => floatLayers(changed((tensors) => tensors.set("projection.norm1.running_var", below)))).toThrow(
    "projection.norm1.running_var holds variances below 0",
  );
  expect(() => integerLayers(weights)).toThrow("conv0.weight is missing");
  const integers = shippedWeights(VARIANT, "int8");
  const shifts = { shape: [1], values: new Int8Array([31]) };
  const damaged = { ...integers, tensors: new Map(integers.tensors).set("confidence.shift", shifts) };
  expect(() => integerLayers(damaged)).toThrow("a shift of confidence is not -31 to 30");
});

test.each([
  ["conv0.weight", -128, "conv0.weight holds -128"],
  ["conv0.shift", 0, "a shift of conv0 is not -31 to -1"],
  ["squeeze.shift", 0, "a shift of squeeze is not -31 to -1"],
  ["gate0.shift", 31, "a shift of gate0 is not -31 to 30"],
  ["conv0.bias", 2 ** 30, "a sum of conv0 could reach"],
  ["gate0.bias", -(2 ** 31), "a sum of gate0 could reach"],
  ["gate0.shift", 30, "a value of gate0 could reach"],
  ["reduce.multiplier", 5, "a multiplier of reduce"],
])("%s of %d is no number of an integer network", (name, value, words) => {
  const integers = shippedWeights(VARIANT, "int8");
  const { shape, values } = integers.tensors.get(name) as Tensor;
  const changed = values.slice();
  changed[0] = value;
  const tensors = new Map(integers.tensors).set(name, { shape, values: changed });
  expect(() => integerLayers({ ...integers, tensors })).toThrow(words);
});

test("a scale is a multiplier and a shift", () => {
  expect(scaleOf(0.25)).toEqual([2 ** 30, -1]);
  expect(scaleOf(1 / 14)).toEqual([1227133513, -3]);
  expect(scaleOf(1 - 2 ** -40)).toEqual([2 ** 30, 1]);
  for (const scale of [0, 1, Number.POSITIVE_INFINITY, Number.NaN]) expect(() => scaleOf(scale)).toThrow(RangeError);
});
