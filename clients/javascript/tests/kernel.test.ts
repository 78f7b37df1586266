import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type Arithmetic,
  bestForm,
  compileKernel,
  createNetwork,
  FORMS,
  type Form,
  kernelFile,
  type Network,
  supports,
  WeightsError,
} from "../src/index.js";
import { kernelPath, missing, shippedWeights } from "./weights-files.js";

const VARIANT = "105x120";
const KERNELS = (Object.keys(FORMS) as Arithmetic[]).flatMap((arithmetic) =>
  FORMS[arithmetic].map((form) => ({ arithmetic, form, reason: missing(arithmetic, form) })),
);

async function network(arithmetic: Arithmetic, form: Form): Promise<Network> {
  const kernel = await compileKernel(readFileSync(kernelPath(arithmetic, form)));
  return createNetwork(shippedWeights(VARIANT, arithmetic), kernel);
}

function noise({ config }: Network): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: config.height * config.width * 3 }, () => {
    state = (state * 48271) % 0x7fffffff;
    return state;
  });
}

for (const { arithmetic, form, reason } of KERNELS) {
  describe.skipIf(reason)(`${kernelFile(arithmetic, form)} ${reason}`, () => {
    test("any cut of a frame gives the same bits, and streams don't meet", async () => {
      const net = await network(arithmetic, form);
      const frame = noise(net);
      const burst = frame.length / net.burstsPerFrame;
      const [whole, one, other] = [net.initialHidden(), net.initialHidden(), net.initialHidden()];
      const expected = net.step(frame, whole);
      expect(expected).toHaveLength(net.burstsPerFrame);
      const found = [];
      for (let at = 0; at < net.burstsPerFrame; at++) {
        found.push(...net.step(frame.subarray(at * burst, (at + 1) * burst), one));
        net.step(frame.subarray(0, burst), other);
      }
      expect(found).toEqual(expected);
      expect(one).toEqual(whole);
      expect(other).not.toEqual(whole);
    });

    test("rows and states of another size change nothing", async () => {
      const net = await network(arithmetic, form);
      const hidden = net.initialHidden();
      expect(() => net.step(new Uint8Array(1799), hidden)).toThrow("rows have 1799 bytes, expected a multiple of 1800");
      expect(() => net.step(new Uint8Array(0), hidden)).toThrow(RangeError);
      const other = arithmetic === "float32" ? new Int16Array(hidden.length) : new Float32Array(hidden.length);
      expect(() => net.step(new Uint8Array(1800), other)).toThrow("as initialHidden() gives it");
      expect(() => net.step(new Uint8Array(1800), hidden.slice(1))).toThrow(TypeError);
      expect(hidden).toEqual(net.initialHidden());
    });

    test("weights of the other arithmetic, and sizes out of range, are refused", async () => {
      const kernel = await compileKernel(readFileSync(kernelPath(arithmetic, form)));
      const wrong = shippedWeights(VARIANT, arithmetic === "float32" ? "int8" : "float32");
      await expect(createNetwork(wrong, kernel)).rejects.toThrow("the kernel is of another arithmetic");
      const weights = shippedWeights(VARIANT, arithmetic);
      const wide = { ...weights, config: { ...weights.config, width: 4097 } };
      await expect(createNetwork(wide, kernel)).rejects.toThrow(WeightsError);
    });
  });
}

test.skipIf(missing("int8", "scalar"))("a step refuses what are no rows and no state", async () => {
  const made = await network("int8", "scalar");
  const [rows, hidden] = [noise(made), made.initialHidden()];
  for (const wrong of [new Float32Array(1800), Array(1800).fill(0), undefined]) {
    expect(() => made.step(wrong as never, hidden)).toThrow("rows must be a Uint8Array");
  }
  expect(() => made.step(rows.subarray(1), hidden)).toThrow("expected a multiple of 1800");
  expect(() => made.step(rows, undefined as never)).toThrow(
    "the hidden state is undefined, expected Int16Array of 280",
  );
  expect(() => made.step(rows, new Float32Array(280))).toThrow("Float32Array of 280, expected Int16Array of 280");
  expect(hidden).toEqual(made.initialHidden());
});

describe.each(["float32", "int8"] as const)("%s", (arithmetic) => {
  const reason = missing(arithmetic, "simd128") || missing(arithmetic, "scalar");
  test.skipIf(reason)(`SIMD and scalar forms give the same bits from any state ${reason}`, async () => {
    const [one, other] = await Promise.all([network(arithmetic, "simd128"), network(arithmetic, "scalar")]);
    const start = one.initialHidden();
    const [least, most] = arithmetic === "float32" ? [-1, 1] : [-32768, 32767];
    for (const [index, byte] of noise(one).subarray(0, start.length).entries()) {
      start[index] = byte < 16 ? least : byte > 239 ? most : least + ((most - least) * byte) / 255;
    }
    const [first, second] = [start.slice(), start.slice()];
    expect(one.step(noise(one), first)).toEqual(other.step(noise(one), second));
    expect(first).toEqual(second);
    expect(first).not.toEqual(start);
  });
});

test("every engine takes the scalar form, and the best one is among those it takes", () => {
  expect(supports("scalar")).toBe(true);
  for (const arithmetic of ["float32", "int8"] as const) expect(supports(bestForm(arithmetic))).toBe(true);
});

test("an answer that is no kernel is an error that names it", async () => {
  const gone = new Response("gone", { status: 404 });
  await expect(compileKernel(gone)).rejects.toThrow("status 404; expected a kernel");
  await expect(compileKernel(new Response("<!doctype html>"))).rejects.toThrow(WebAssembly.CompileError);
});
