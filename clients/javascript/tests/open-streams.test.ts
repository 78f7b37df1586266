import { afterEach, describe, expect, it, vi } from "vitest";
import { StreamError } from "../src/connection.js";
import { load } from "../src/load.js";
import { streamThrough, streamTo } from "../src/open-streams.js";
import { scanFrame } from "../src/scan.js";
import { decision, FakeSocket, frame, ManualClock, noise, progress } from "./fakes.js";
import { built, weightsAddress } from "./weights-files.js";

const answer = (burst: number) => (burst < 2 ? [progress(burst)] : burst === 2 ? [decision(2, true)] : []);

function opening(): { opened: string[][]; openSocket: () => FakeSocket } {
  const opened: string[][] = [];
  const openSocket = (...asked: unknown[]) => {
    opened.push(asked.map(String));
    const socket = new FakeSocket(new ManualClock(), answer);
    queueMicrotask(() => socket.open());
    return socket;
  };
  return { opened, openSocket };
}

describe("streamTo", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("streams all rows at once to the service's websocket, under its default policy", async () => {
    const { opened, openSocket } = opening();
    const stream = streamTo("https://sensors.example/hall/", { variant: "20x2", bearer: "t", openSocket });
    const { decision: decided } = await stream.read(frame);
    expect(decided).toMatchObject({ burst_index: 2, exited: true });
    expect(opened).toEqual([["wss://sensors.example/hall/v1/stream", "rascanet.v1,rascanet.bearer.dA"]]);
    await stream.end();
  });

  it.each(["sensors.example", "file:///etc", ""])("refuses the address %j", (address) => {
    expect(() => streamTo(address, { variant: "105x120" })).toThrow("is not the address of a service");
  });

  it("says what to do where there is no WebSocket", () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(() => streamTo("http://127.0.0.1:8000", { variant: "105x120" })).toThrow(StreamError);
    expect(() => streamTo("http://127.0.0.1:8000", { variant: "105x120" })).toThrow("name an openSocket");
  });
});

describe.skipIf(!built)("streamThrough (needs `make wasm`)", () => {
  it("decides as scanFrame", async () => {
    const network = await load({ weights: weightsAddress("105x120_int8") });
    const policy = { name: "two_sided", exit_above: 0.6, exit_below: 0.4 };
    const { curve, ...decided } = scanFrame(network, noise(105, 120), policy);
    expect((await streamThrough(network, { policy }).read(noise(105, 120))).decision).toMatchObject(decided);
  });
});
