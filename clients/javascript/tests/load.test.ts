import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { LoadError, load } from "../src/load.js";
import { scanFrame } from "../src/scan.js";
import { WeightsError } from "../src/weights.js";
import { grey } from "./fakes.js";
import { built, weightsAddress } from "./weights-files.js";

describe("load", () => {
  it("says so where there is no WebAssembly", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    try {
      await expect(load({ weights: weightsAddress("105x120") })).rejects.toThrow("no WebAssembly here");
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe.skipIf(!built)("load (needs `make wasm`)", () => {
  const weights = weightsAddress("105x120");

  it("takes an address, bytes and an answer alike", async () => {
    const bytes = readFileSync(weights);
    const answer = new Response(bytes);
    const found = [];
    for (const source of [weights, String(weights), bytes, answer]) found.push(await load({ weights: source }));
    expect(found.map(({ digest }) => digest)).toEqual(Array(4).fill(found[0]?.digest));
    expect(found[0]?.config).toMatchObject({ height: 105, width: 120 });
  });

  it("takes a kernel of one's own", async () => {
    const file = new URL("../wasm/float32-scalar.wasm", import.meta.url);
    const module = await WebAssembly.compile(readFileSync(file));
    const [one, other] = [await load({ weights, wasm: module }), await load({ weights, wasm: readFileSync(file) })];
    const frame = grey(105, 120);
    expect(scanFrame(one, frame)).toEqual(scanFrame(other, frame));
  });

  it("says which address can't be read, and which kernel there is not", async () => {
    await expect(load({ weights: weightsAddress("1x1") })).rejects.toThrow(LoadError);
    await expect(load({ weights: weightsAddress("1x1") })).rejects.toThrow("rascanet_1x1.safetensors can't be read");
    await expect(load({ weights: new Response("", { status: 404 }) })).rejects.toThrow("status 404");
    await expect(load({ weights: weightsAddress("105x120_int8"), simd: "relaxed" })).rejects.toThrow(
      "no relaxed kernel",
    );
    await expect(load({ weights: Uint8Array.of(1) })).rejects.toThrow(WeightsError);
    await expect(load({ weights, wasm: new TextEncoder().encode("<!doctype html>") })).rejects.toThrow(
      "no WebAssembly",
    );
    const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    await expect(load({ weights, wasm: empty })).rejects.toThrow(LoadError);
    await expect(load({ weights, simd: "toString" as never })).rejects.toThrow("no toString kernel");
  });

  it("says what is no source of weights", async () => {
    await expect(load({ weights: undefined as never })).rejects.toThrow(
      "an ArrayBuffer or a Uint8Array, not Undefined",
    );
    await expect(load({ weights: new Blob([]) as never })).rejects.toThrow("not Blob");
    const used = new Response("");
    await used.text();
    await expect(load({ weights: used })).rejects.toThrow(LoadError);
  });
});
