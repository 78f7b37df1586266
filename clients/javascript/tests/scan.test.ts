import { beforeAll, describe, expect, it } from "vitest";
import { certifiedPolicy, parsePolicy } from "../src/exit-policy.js";
import type { Network } from "../src/kernel.js";
import { load } from "../src/load.js";
import { LocalStream } from "../src/local-stream.js";
import { Pace } from "../src/pace.js";
import { scanFrame } from "../src/scan.js";
import { grey, ManualClock, noise, settle } from "./fakes.js";
import { built, certificateOf, weightsAddress } from "./weights-files.js";

describe.skipIf(!built)("a frame (needs `make wasm`)", () => {
  let network: Network;
  beforeAll(async () => {
    network = await load({ weights: weightsAddress("105x120"), simd: "simd128" });
  });
  const frame = noise(105, 120);

  it("is read whole under the policy never, and the scans don't know each other", () => {
    const first = scanFrame(network, frame, { name: "never" });
    scanFrame(network, grey(105, 120), { name: "never" });
    expect(scanFrame(network, frame, { name: "never" })).toEqual(first);
    expect(first).toMatchObject({ exited: false, processed: 21, skipped: 0, unread: 0, burst_index: 20 });
    expect(first.curve.points.map(({ burst }) => burst)).toEqual([...Array(21).keys()]);
  });

  it("is one step of all its rows", () => {
    const hidden = network.initialHidden();
    const whole = network.step(frame.samples, hidden).map(({ pPerson }) => pPerson);
    const scanned = scanFrame(network, frame, { name: "never" });
    expect(scanned.curve.points.map(({ p_person }) => p_person)).toEqual(whole);
  });

  it("of another size is refused", () => {
    expect(() => scanFrame(network, grey(210, 240))).toThrow("105 x 120 pixels, not 210 x 240");
    const canvas = { ...frame, samples: new Uint8Array(105 * 120 * 4) };
    expect(() => scanFrame(network, canvas)).toThrow("has 37800 samples, not 50400");
  });

  describe("over a LocalStream", () => {
    const policies = [
      { name: "never" },
      { name: "fixed_row", share: 0.3 },
      { name: "published", exit_threshold: 0.999, skip_threshold: 0.99 },
    ];

    it.each(policies)("decides as scanFrame: $name", async (wanted) => {
      const clock = new ManualClock();
      const policy = parsePolicy(wanted);
      const stream = new LocalStream(network, policy, "rgb8", clock, new AbortController().signal);
      const pace = new Pace(clock, 0);
      pace.start();
      const skips: number[] = [];
      const result = await stream.read(frame, pace, { skipped: (_, burst) => skips.push(burst) });
      const { curve, ...decision } = scanFrame(network, frame, policy);
      expect(result.decision).toMatchObject(decision);
      expect(result.curve).toEqual(curve);
      expect(skips).toEqual(curve.skipped);
      expect(result.rowsSent).toBe(decision.processed * 5);
      expect(await stream.end()).toBeUndefined();
    });

    it("reads a burst when the sensor has, stands still when paused, goes on, and stops", async () => {
      const clock = new ManualClock();
      const stop = new AbortController();
      const stream = new LocalStream(network, parsePolicy({ name: "never" }), "rgb8", clock, stop.signal);
      const pace = new Pace(clock, 1);
      pace.start();
      const read: number[] = [];
      const reading = stream.read(frame, pace, { sent: (burst) => read.push(burst) });
      const ended = expect(reading).rejects.toMatchObject({ fault: "stopped" });
      const pass = (ms: number) => clock.advance(ms);
      await pass(4);
      expect(read).toEqual([]);
      await pass(1);
      expect(read).toEqual([0]);
      await pass(10);
      expect(read).toEqual([0, 1, 2]);
      pace.pause();
      await pass(100);
      expect(read).toEqual([0, 1, 2]);
      pace.step(5);
      await settle();
      expect(read).toEqual([0, 1, 2, 3]);
      pace.go();
      await pass(5);
      expect(read).toEqual([0, 1, 2, 3, 4]);
      stop.abort();
      await ended;
    });

    it("holds frames to the stream's format", async () => {
      const clock = new ManualClock();
      const stop = new AbortController();
      const stream = new LocalStream(network, parsePolicy({ name: "never" }), "mono8", clock, stop.signal);
      await expect(stream.read(frame)).rejects.toThrow("format must be mono8, not rgb8");
    });

    it("names the certificate of its decision", async () => {
      const certified = certifiedPolicy(certificateOf("105x120"), network.digest);
      const clock = new ManualClock();
      const stream = new LocalStream(
        network,
        parsePolicy(null, certified),
        "rgb8",
        clock,
        new AbortController().signal,
      );
      const pace = new Pace(clock, 0);
      pace.start();
      const { welcome, decision } = await stream.read(frame, pace);
      expect(welcome.policy).toEqual(certified);
      expect(decision.certificate).toBe(certified.certificate);
    });
  });
});
