import { describe, expect, it } from "vitest";
import type { Frame } from "../src/frame";
import { ANSWER_LIMIT_MS, type Clock, CONNECT_LIMIT_MS, ScanError, type Socket, scan } from "../src/scan";

const BURSTS = 4;
const WIDTH = 2;
const BURST_BYTES = 5 * WIDTH * 3;
const frame: Frame = {
  height: BURSTS * 5,
  width: WIDTH,
  rgb: Uint8Array.from({ length: BURSTS * BURST_BYTES }, (_, index) => Math.floor(index / BURST_BYTES)),
};

const welcome = {
  type: "welcome",
  variant: "20x2",
  height: frame.height,
  width: WIDTH,
  burst_rows: 5,
  bursts_per_frame: BURSTS,
  policy: { name: "never" },
  progress_every: 1,
  weights: "ab",
  limits: { message_bytes: 4096 },
  pixel_format: "rgb8",
};
const summary = { type: "summary", frames: 1, persons: 1, exited: 1, processed: 2, skipped: 0, unread: 2 };
const progress = (burst_index: number) => ({
  type: "progress",
  frame_id: 0,
  burst_index,
  p_person: 0.7,
  confidence: 0.9,
});
const skip = (burst_index: number) => ({ type: "skip", frame_id: 0, burst_index });
const decision = (burst_index: number, exited: boolean, skipped = 0) => ({
  type: "decision",
  frame_id: 0,
  burst_index,
  p_person: 0.7,
  person: true,
  exited,
  processed: burst_index + 1 - skipped,
  skipped,
  unread: exited ? BURSTS - 1 - burst_index : 0,
});

/** Time that passes only when the test says so. */
class ManualClock implements Clock {
  private time = 0;
  private timers: { at: number; callback: () => void }[] = [];
  now = () => this.time;

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((other) => other !== due);
      this.time = Math.max(this.time, due.at);
      due.callback();
      await settle();
    }
    this.time = end;
  }
}

/** Lets every promise that can go on do so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

type Answer = (burst: number) => object[];

class FakeSocket implements Socket {
  binaryType: BinaryType = "blob";
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  texts: { type: string }[] = [];
  bursts: { burst: number; readoutUs: number; atMs: number; bytes: Uint8Array }[] = [];
  closed: number | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly answer: Answer,
  ) {}

  say(...messages: object[]): void {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) } as MessageEvent);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (typeof data === "string") {
      const message = JSON.parse(data) as { type: string };
      this.texts.push(message);
      queueMicrotask(() => this.say(message.type === "hello" ? welcome : summary));
      return;
    }
    const header = new DataView(data.buffer);
    const burst = header.getUint16(8, true);
    const readoutUs = Number(header.getBigUint64(16, true));
    this.bursts.push({ burst, readoutUs, atMs: this.clock.now(), bytes: data });
    queueMicrotask(() => this.say(...this.answer(burst)));
  }

  close(code?: number): void {
    this.closed = code;
  }
}

function start(lineTimeMs: number, answer: Answer) {
  const clock = new ManualClock();
  const socket = new FakeSocket(clock, answer);
  const stop = new AbortController();
  const events: string[] = [];
  let offered = "";
  const settings = { url: "ws://test/v1/stream", variant: "20x2", policy: { name: "never" }, lineTimeMs };
  const outcome = scan(
    frame,
    settings,
    {
      started: () => events.push("started"),
      sent: (burst) => events.push(`sent ${burst}`),
      progress: ({ burst_index }) => events.push(`progress ${burst_index}`),
      skipped: (burst) => events.push(`skipped ${burst}`),
      decided: ({ burst_index }) => events.push(`decided ${burst_index}`),
    },
    (_url, subprotocol) => {
      offered = subprotocol;
      return socket;
    },
    clock,
    stop.signal,
  );
  outcome.catch(() => {}); // looked at when the test comes to it
  return { clock, socket, stop, events, outcome, offered: () => offered };
}

const open = (socket: FakeSocket) => socket.onopen?.({} as Event);
const drop = (socket: FakeSocket) => socket.onclose?.({} as CloseEvent);
const toTheEnd: Answer = (burst) =>
  burst === BURSTS - 1 ? [progress(burst), decision(burst, false)] : [progress(burst)];

describe("a paced scan", () => {
  it("sends each burst when its last row is read, and reads to the end", async () => {
    const { clock, socket, events, outcome, offered } = start(2, toTheEnd);
    open(socket);
    await clock.advance(100);
    const result = await outcome;
    expect(offered()).toBe("rascanet.v1");
    expect(socket.bursts.map(({ atMs }) => atMs)).toEqual([10, 20, 30, 40]);
    expect(socket.bursts.map(({ readoutUs }) => readoutUs)).toEqual([10_000, 20_000, 30_000, 40_000]);
    expect(socket.bursts.map(({ bytes }) => bytes[24])).toEqual([0, 1, 2, 3]);
    expect(socket.texts.map(({ type }) => type)).toEqual(["hello", "end"]);
    expect(events.slice(0, 3)).toEqual(["started", "sent 0", "progress 0"]);
    expect(result).toMatchObject({ burstsSent: 4, rowBytesSent: 4 * (24 + BURST_BYTES), decisionMs: 40, summary });
    expect(socket.closed).toBe(1000);
  });

  it("stops at an exit", async () => {
    const { clock, socket, outcome } = start(2, (burst) =>
      burst === 1 ? [progress(1), decision(1, true)] : [progress(burst)],
    );
    open(socket);
    await clock.advance(100);
    expect(await outcome).toMatchObject({ burstsSent: 2, decisionMs: 20, decision: { exited: true } });
    expect(socket.bursts).toHaveLength(2);
  });

  it("leaves out a skipped burst but not its time", async () => {
    const { clock, socket, outcome } = start(2, (burst) => [
      ...(burst === 0 ? [progress(0), skip(1)] : toTheEnd(burst)),
    ]);
    open(socket);
    await clock.advance(100);
    expect(await outcome).toMatchObject({ burstsSent: 3 });
    expect(socket.bursts.map(({ burst, atMs }) => [burst, atMs])).toEqual([
      [0, 10],
      [2, 30],
      [3, 40],
    ]);
  });
});

describe("a scan as fast as possible", () => {
  it("waits for each answer, so that skips and exits count", async () => {
    const { clock, socket, outcome } = start(0, (burst) =>
      burst === 2 ? [progress(2), decision(2, true, 1)] : [progress(0), skip(1)],
    );
    open(socket);
    await clock.advance(100);
    expect(await outcome).toMatchObject({ burstsSent: 2 });
    expect(socket.bursts.map(({ burst }) => burst)).toEqual([0, 2]);
  });

  it("ends when the last burst is skipped", async () => {
    const { clock, socket, outcome } = start(0, (burst) =>
      burst === 2 ? [progress(2), skip(3), decision(2, false, 1)] : [progress(burst)],
    );
    open(socket);
    await clock.advance(100);
    expect(await outcome).toMatchObject({ burstsSent: 3, decision: { exited: false, unread: 0 } });
  });
});

describe("what goes wrong", () => {
  const fault = async (outcome: Promise<unknown>) => {
    const error = await outcome.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ScanError);
    return (error as ScanError).fault;
  };

  it("a refused connection", async () => {
    const { socket, outcome } = start(2, toTheEnd);
    drop(socket);
    expect(await fault(outcome)).toBe("refused");
  });

  it("a connection that never comes about", async () => {
    const { clock, outcome } = start(2, toTheEnd);
    await clock.advance(CONNECT_LIMIT_MS);
    expect(await fault(outcome)).toBe("refused");
  });

  it("a connection lost on the way", async () => {
    const { clock, socket, outcome } = start(2, toTheEnd);
    open(socket);
    await clock.advance(15);
    drop(socket);
    expect(await fault(outcome)).toBe("lost");
    expect(socket.bursts).toHaveLength(1);
  });

  it("a service that falls silent", async () => {
    const { clock, socket, outcome } = start(2, (burst) => [progress(burst)]);
    open(socket);
    await clock.advance(40 + ANSWER_LIMIT_MS);
    expect(await fault(outcome)).toBe("silent");
  });

  it("an error from the service, told in its words", async () => {
    const { clock, socket, outcome } = start(2, () => [
      { type: "error", code: "out_of_order", message: "burst 1 is next" },
    ]);
    open(socket);
    await clock.advance(100);
    await expect(outcome).rejects.toThrow("burst 1 is next (out_of_order)");
    expect(await fault(outcome)).toBe("server");
  });

  it("something that is no message", async () => {
    const { clock, socket, outcome } = start(2, () => [{ type: "poem" }]);
    open(socket);
    await clock.advance(100);
    expect(await fault(outcome)).toBe("protocol");
  });

  it("being stopped by the person at the page", async () => {
    const { clock, socket, stop, outcome } = start(2, toTheEnd);
    open(socket);
    await clock.advance(15);
    stop.abort();
    expect(await fault(outcome)).toBe("stopped");
    expect(socket.closed).toBe(1000);
  });

  it("a connection lost after the decision changes nothing", async () => {
    const { clock, socket, outcome } = start(2, toTheEnd);
    socket.send = ((send) => (data: string | Uint8Array<ArrayBuffer>) => {
      if (typeof data === "string" && data.includes("end")) drop(socket);
      else send.call(socket, data);
    })(socket.send);
    open(socket);
    await clock.advance(100);
    expect(await outcome).toMatchObject({ summary: null, burstsSent: 4 });
  });
});
