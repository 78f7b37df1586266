import { describe, expect, it } from "vitest";
import { ANSWER_LIMIT_MS, BUFFERED_LIMIT_BYTES, CONNECT_LIMIT_MS, StreamError } from "../src/connection.js";
import { Pace } from "../src/pace.js";
import { FrameStream, MAX_ATTEMPTS, retryDelayMs } from "../src/stream.js";
import {
  type Answer,
  BURSTS,
  decision,
  FakeSocket,
  frame,
  ManualClock,
  progress,
  settle,
  skip,
  summary,
  welcome,
} from "./fakes.js";

const toTheEnd: Answer = (burst, id) =>
  burst === BURSTS - 1 ? [progress(burst, id), decision(burst, false, 0, id)] : [progress(burst, id)];

function start(lineTimeMs: number, answer: Answer) {
  const clock = new ManualClock();
  const sockets: FakeSocket[] = [];
  const stop = new AbortController();
  const events: string[] = [];
  const settings = {
    url: "ws://test",
    bearer: "",
    variant: "20x2",
    policy: { name: "never" },
    format: "rgb8",
  } as const;
  const openSocket = () => {
    const socket = new FakeSocket(clock, answer);
    sockets.push(socket);
    return socket;
  };
  const stream = new FrameStream(settings, openSocket, clock, () => 0.5, stop.signal);
  const pace = new Pace(clock, lineTimeMs);
  const outcome = stream.read(frame, pace, {
    started: () => pace.start(),
    sent: (burst, count) => events.push(`sent ${burst}+${count}`),
    reconnecting: (attempt) => events.push(`reconnecting ${attempt}`),
    reconnected: () => events.push("reconnected"),
  });
  outcome.catch(() => {}); // looked at when the test comes to it
  return { clock, sockets, socket: sockets[0] as FakeSocket, stop, events, outcome, pace, stream };
}

describe("a paced frame", () => {
  it("sends each burst when its last row is read", async () => {
    const { clock, socket, outcome, stream } = start(2, toTheEnd);
    socket.open();
    await clock.advance(100);
    const result = await outcome;
    expect(socket.bursts.map(({ atMs }) => atMs)).toEqual([10, 20, 30, 40]);
    expect(socket.bursts.map(({ readoutUs }) => readoutUs)).toEqual([10_000, 20_000, 30_000, 40_000]);
    expect(socket.bursts.map(({ bytes }) => bytes[24])).toEqual([0, 1, 2, 3]);
    expect(result).toMatchObject({ rowsSent: 20, decisionMs: 40 });
    expect(result.curve.points.map(({ burst }) => burst)).toEqual([0, 1, 2, 3]);
    expect(await stream.end()).toEqual(summary);
    expect(socket.closed).toBe(1000);
  });

  it("stops at an exit", async () => {
    const { clock, socket, outcome } = start(2, (burst) =>
      burst === 1 ? [progress(1), decision(1, true)] : [progress(burst)],
    );
    socket.open();
    await clock.advance(100);
    expect(await outcome).toMatchObject({ rowsSent: 10, decisionMs: 20, decision: { exited: true } });
    expect(socket.bursts).toHaveLength(2);
  });

  it.each([false, true])("sends the rest for an audit at once; the decision holds if that is cut (%s)", async (cut) => {
    const { clock, socket, outcome, stream } = start(2, (burst) =>
      burst === 1 ? [progress(1), { ...decision(1, true), audit: true }] : burst === 0 ? [progress(0)] : [],
    );
    if (cut) socket.greeting = { ...welcome, credits: 2 };
    socket.open();
    await clock.advance(21);
    if (cut) socket.drop();
    await settle();
    expect(await outcome).toMatchObject({ decisionMs: 20, rowsSent: cut ? 10 : 20, reconnections: 0 });
    expect(socket.bursts.map(({ burst, count, atMs }) => [burst, count, atMs])).toEqual([
      [0, 1, 10],
      [1, 1, 20],
      ...(cut ? [] : [[2, 2, 20]]),
    ]);
    expect(await stream.end()).toEqual(cut ? null : summary);
  });

  it("leaves out a skipped burst but not its time", async () => {
    const { clock, socket, outcome } = start(2, (burst, id) =>
      burst === 0 ? [progress(0), skip(1)] : toTheEnd(burst, id),
    );
    socket.open();
    await clock.advance(100);
    await outcome;
    expect(socket.bursts.map(({ burst, atMs }) => [burst, atMs])).toEqual([
      [0, 10],
      [2, 30],
      [3, 40],
    ]);
  });

  it("sends what is due together in one message", async () => {
    const { clock, socket, outcome } = start(0, toTheEnd);
    socket.open();
    await clock.advance(100);
    await outcome;
    expect(socket.bursts.map(({ burst, count }) => [burst, count])).toEqual([[0, 4]]);
  });

  it("pauses, steps and goes on, and keeps the stream awake meanwhile", async () => {
    const { clock, socket, outcome, pace } = start(2, toTheEnd);
    socket.open();
    await clock.advance(15);
    pace.pause();
    await clock.advance(20_000);
    expect(socket.bursts).toHaveLength(1);
    expect(socket.texts.filter(({ type }) => type === "sync").length).toBeGreaterThanOrEqual(2);
    pace.step(5);
    await clock.advance(1);
    expect(socket.bursts).toHaveLength(2);
    await clock.advance(1000);
    expect(socket.bursts).toHaveLength(2);
    pace.go();
    await clock.advance(100);
    await outcome;
    expect(socket.bursts).toHaveLength(4);
  });

  it("waits while the socket is full", async () => {
    const { clock, socket, outcome } = start(2, toTheEnd);
    socket.open();
    socket.bufferedAmount = BUFFERED_LIMIT_BYTES + 1;
    await clock.advance(100);
    expect(socket.bursts).toHaveLength(0);
    socket.bufferedAmount = 0;
    await clock.advance(100);
    await outcome;
    expect(socket.bursts.reduce((sum, { count }) => sum + count, 0)).toBe(BURSTS);
  });
});

describe("a lost connection", () => {
  it("is made again, and the frame goes on from the rows kept", async () => {
    const { clock, sockets, socket, outcome, events } = start(2, toTheEnd);
    socket.open();
    await clock.advance(25);
    socket.drop();
    await clock.advance(1000);
    (sockets[1] as FakeSocket).open();
    await clock.advance(100);
    expect(await outcome).toMatchObject({ reconnections: 1, decision: { exited: false } });
    expect(events).toContain("reconnecting 1");
    expect(events).toContain("reconnected");
    expect(sockets[1]?.bursts[0]).toMatchObject({ burst: 0, count: 4 });
  });

  it("is given up after so many attempts, each later than the one before", async () => {
    const { clock, sockets, socket, outcome } = start(2, toTheEnd);
    socket.open();
    await clock.advance(15);
    for (let attempt = 0; attempt <= MAX_ATTEMPTS; attempt++) {
      sockets.at(-1)?.drop();
      await clock.advance(6000);
    }
    await expect(outcome).rejects.toMatchObject({ fault: "refused" });
    expect(sockets).toHaveLength(1 + MAX_ATTEMPTS);
    expect(retryDelayMs(0, 1)).toBeLessThan(retryDelayMs(1, 1));
    expect(retryDelayMs(30, 1)).toBe(5000);
  });
});

describe("credits and tokens", () => {
  const granting = (extra: object) => {
    const running = start(0, toTheEnd);
    running.socket.greeting = { ...welcome, ...extra };
    return running;
  };

  it("hold the rows back until there is credit", async () => {
    const { clock, socket, outcome } = granting({ credits: 2 });
    socket.open();
    await clock.advance(50);
    expect(socket.bursts.map(({ count }) => count)).toEqual([2]);
    socket.say({ type: "credit", credits: 3 });
    await clock.advance(50);
    expect(socket.bursts.map(({ count }) => count)).toEqual([2, 1]);
    socket.say({ type: "credit", credits: 100 });
    await clock.advance(50);
    await outcome;
  });

  it("obey the limit of bursts a message", async () => {
    const { clock, socket, outcome } = granting({ limits: { message_bytes: 4096, message_bursts: 3 } });
    socket.open();
    await clock.advance(50);
    await outcome;
    expect(socket.bursts.map(({ count }) => count)).toEqual([3, 1]);
  });

  it("go on within the frame where the token lies", async () => {
    const { clock, sockets, socket, outcome } = start(2, toTheEnd);
    socket.greeting = { ...welcome, token: "first" };
    socket.open();
    await clock.advance(25);
    socket.say({ type: "checkpoint", frame_id: 0, burst_index: 1, credits: 100, token: "second" });
    socket.drop();
    await clock.advance(300);
    const again = sockets[1] as FakeSocket;
    again.greeting = { ...welcome, token: "second", position: { frame_id: 0, next_burst: 2 } };
    again.open();
    await clock.advance(100);
    expect(again.texts[0]).toEqual({ type: "resume", token: "second" });
    expect(again.bursts[0]?.burst).toBe(2);
    expect((await outcome).curve.points.map(({ burst }) => burst)).toEqual([0, 1, 2, 3]);
  });

  it("begin anew where the token lies within another frame", async () => {
    const { clock, sockets, socket, outcome } = start(2, toTheEnd);
    socket.greeting = { ...welcome, token: "first" };
    socket.open();
    await clock.advance(25);
    socket.drop();
    await clock.advance(300);
    const again = sockets[1] as FakeSocket;
    again.greeting = { ...welcome, token: "first", position: { frame_id: 7, next_burst: 2 } };
    again.open();
    await clock.advance(50);
    const fresh = sockets[2] as FakeSocket;
    fresh.open();
    await clock.advance(100);
    expect(again.bursts).toHaveLength(0);
    expect(fresh.texts[0]?.type).toBe("hello");
    expect(await outcome).toMatchObject({ decision: { exited: false } });
  });

  it("begin anew where a token is refused", async () => {
    const { clock, sockets, socket, outcome } = start(2, toTheEnd);
    socket.greeting = { ...welcome, token: "old" };
    socket.open();
    await clock.advance(25);
    socket.drop();
    await clock.advance(300);
    const refused = sockets[1] as FakeSocket;
    refused.greeting = { type: "error", code: "expired_token", message: "the token is too old" };
    refused.open();
    await clock.advance(50);
    const fresh = sockets[2] as FakeSocket;
    fresh.open();
    await clock.advance(100);
    expect(fresh.texts[0]?.type).toBe("hello");
    expect(fresh.bursts[0]?.burst).toBe(0);
    expect(await outcome).toMatchObject({ decision: { exited: false } });
  });

  it("a frame that is shed is tried again", async () => {
    let shed = true;
    const { clock, sockets, socket } = start(0, (burst, id) => {
      if (!shed) return toTheEnd(burst, id);
      shed = false;
      return [{ type: "shed", frame_id: id }];
    });
    socket.open();
    await clock.advance(1000);
    expect(sockets).toHaveLength(2);
  });
});

describe("what goes wrong for good", () => {
  const fault = async (outcome: Promise<unknown>) => {
    const error = await outcome.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StreamError);
    return (error as StreamError).fault;
  };

  it("a refused connection", async () => {
    const { socket, outcome } = start(2, toTheEnd);
    socket.drop();
    expect(await fault(outcome)).toBe("refused");
  });

  it("a connection that never comes about", async () => {
    const { clock, outcome } = start(2, toTheEnd);
    await clock.advance(CONNECT_LIMIT_MS);
    expect(await fault(outcome)).toBe("refused");
  });

  it("an error from the service, told in its words", async () => {
    const { clock, socket, outcome } = start(2, () => [
      { type: "error", code: "out_of_order", message: "burst 1 is next" },
    ]);
    socket.open();
    await clock.advance(100);
    await expect(outcome).rejects.toThrow("burst 1 is next (out_of_order)");
  });

  it("something that is no message", async () => {
    const { clock, socket, outcome } = start(2, () => [{ type: "poem" }]);
    socket.open();
    await clock.advance(100);
    expect(await fault(outcome)).toBe("protocol");
  });

  it("being stopped by the person at the page", async () => {
    const { clock, socket, stop, outcome } = start(2, toTheEnd);
    socket.open();
    await clock.advance(15);
    stop.abort();
    expect(await fault(outcome)).toBe("stopped");
    await settle();
    expect(socket.closed).toBe(1000);
  });

  it("a service that falls silent is asked again first", async () => {
    const { clock, socket, sockets } = start(2, (burst) => [progress(burst)]);
    socket.open();
    await clock.advance(40 + ANSWER_LIMIT_MS + 1000);
    expect(sockets.length).toBe(2);
  });
});
