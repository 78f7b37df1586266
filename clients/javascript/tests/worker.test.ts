import { beforeAll, describe, expect, it } from "vitest";
import { load } from "../src/load.js";
import { type Answer, type Port, RemoteNetwork, type Request } from "../src/remote-network.js";
import { scanFrame } from "../src/scan.js";
import { noise } from "./fakes.js";
import { built, weightsAddress } from "./weights-files.js";

/** Two ends of a channel: what the page holds, and the worker's own global. */
function connect(): Port {
  const port: Port = { onmessage: null, onmessageerror: null, onerror: null, postMessage: () => {} };
  const here = globalThis as unknown as {
    onmessage: (event: { data: Request }) => void;
    postMessage: (answer: Answer) => void;
  };
  here.postMessage = (data) => port.onmessage?.({ data: structuredClone(data) } as MessageEvent<Answer>);
  port.postMessage = (data) => here.onmessage({ data: structuredClone(data) });
  return port;
}

describe("a worker that fails", () => {
  const silent = (): Port => ({ onmessage: null, onmessageerror: null, onerror: null, postMessage: () => {} });
  const failed = (message?: string) => ({ message }) as ErrorEvent;

  it("ends what waits for it, and never takes another question if it never answered", async () => {
    const port = silent();
    const remote = new RemoteNetwork(port);
    const waiting = remote.load({ shipped: "105x120_int8" });
    port.onerror?.(failed());
    await expect(waiting).rejects.toThrow("the network's worker failed: its file can't be loaded");
    await expect(remote.scan(noise(105, 120))).rejects.toThrow("its file can't be loaded");
  });

  it("goes on where it has answered before", async () => {
    const port = silent();
    const remote = new RemoteNetwork(port);
    const [first, second] = [remote.load({ weights: "here" }), remote.load({ weights: "there" })];
    port.onmessage?.({ data: { id: 0, result: { kind: "fault", name: "LoadError", message: "no" } } } as MessageEvent);
    await expect(first).rejects.toMatchObject({ name: "LoadError", message: "no" });
    port.onerror?.(failed("boom"));
    await expect(second).rejects.toThrow("boom");
    const third = remote.load({ weights: "elsewhere" });
    port.onmessageerror?.({} as MessageEvent);
    await expect(third).rejects.toThrow("can't be read");
  });

  it("is not asked for what can't be sent", async () => {
    const port = silent();
    port.postMessage = (message) => void structuredClone(message);
    const remote = new RemoteNetwork(port);
    await expect(remote.load({ weights: (() => {}) as never })).rejects.toThrow("could not be cloned");
  });
});

describe.skipIf(!built)("a network in a worker (needs `make wasm`)", () => {
  beforeAll(async () => {
    await import("../src/worker.js");
  });
  const weights = String(weightsAddress("105x120_int8"));
  const frame = noise(105, 120);

  it("decides as a network here", async () => {
    const remote = new RemoteNetwork(connect());
    const loaded = await remote.load({ weights });
    const network = await load({ weights });
    expect(loaded).toEqual({ config: network.config, digest: network.digest, arithmetic: "int8" });
    const policy = { name: "fixed_row", share: 0.5 };
    expect(await remote.scan(frame, policy)).toEqual(scanFrame(network, frame, policy));
  });

  it("hands faults on, each to who asked", async () => {
    const remote = new RemoteNetwork(connect());
    await remote.load({ weights });
    const [bad, good] = [remote.scan(frame, { name: "sometimes" }), remote.scan(frame)];
    await expect(bad).rejects.toMatchObject({ name: "PolicyError" });
    await expect(bad).rejects.toThrow("is not one of published");
    expect((await good).curve.points.length).toBeGreaterThan(0);
    await expect(remote.load({ weights: "file:///nowhere" })).rejects.toThrow("can't be read");
  });
});
