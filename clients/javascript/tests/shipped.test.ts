import { existsSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { parsePolicy } from "../src/exit-policy.js";
import { LoadError } from "../src/load.js";
import { scanFrame } from "../src/scan.js";
import { loadShipped, SHIPPED, shippedCertificate } from "../src/shipped.js";
import { noise } from "./fakes.js";
import { built } from "./weights-files.js";

const copied = existsSync(new URL("../weights/105x120.safetensors", import.meta.url));

it.each(["99x99", "toString"])("there is no network %s", async (name) => {
  await expect(loadShipped(name as never)).rejects.toThrow(LoadError);
  await expect(shippedCertificate(name as never)).rejects.toThrow(`no network ${name}; it has 105x120_int8, `);
});

it.each(["<!doctype html>", "null", "{}"])("a host that answers %s has no certificate", async (text) => {
  vi.stubGlobal("process", {}); // without Node's files, as in a browser
  vi.stubGlobal("fetch", async () => new Response(text));
  try {
    await expect(shippedCertificate("105x120")).rejects.toThrow(LoadError);
    await expect(shippedCertificate("105x120")).rejects.toThrow("105x120.certificate.json is no certificate");
  } finally {
    vi.unstubAllGlobals();
  }
});

describe.skipIf(!built || !copied)("the package's networks (need `make wasm` and `npm run build`)", () => {
  it.each(SHIPPED)("%s has its certificate", async (name) => {
    const { network, policy } = await loadShipped(name);
    const { height, width } = network.config;
    expect(name.startsWith(`${height}x${width}`)).toBe(true);
    expect(name.endsWith("_int8")).toBe(network.arithmetic === "int8");
    expect(policy.wanted.name).toBe("calibrated");
    expect(scanFrame(network, noise(height, width), policy)).toEqual(
      scanFrame(network, noise(height, width), parsePolicy({ name: "calibrated" }, policy.wanted)),
    );
  });
});
