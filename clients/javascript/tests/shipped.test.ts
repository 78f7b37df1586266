import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parsePolicy } from "../src/exit-policy.js";
import { loadShipped, SHIPPED } from "../src/shipped.js";
import { built } from "./built.js";

const copied = existsSync(new URL("../weights/105x120.safetensors", import.meta.url));

describe.skipIf(!built || !copied)("the package's networks (need `make wasm` and `npm run build`)", () => {
  it.each(SHIPPED)("%s has its certificate", async (name) => {
    const { network, certified } = await loadShipped(name);
    const { height, width } = network.config;
    expect(name.startsWith(`${height}x${width}`)).toBe(true);
    expect(name.endsWith("_int8")).toBe(network.arithmetic === "int8");
    expect(parsePolicy(null, certified).wanted.name).toBe("calibrated");
  });
});
