/** Time and sockets that do what a test says. */

import type { Clock } from "../src/clock.js";
import type { Socket } from "../src/connection.js";
import type { Frame } from "../src/frame.js";

export const BURSTS = 4;
export const WIDTH = 2;
export const BURST_BYTES = 5 * WIDTH * 3;
export const frame: Frame = {
  height: BURSTS * 5,
  width: WIDTH,
  format: "rgb8",
  samples: Uint8Array.from({ length: BURSTS * BURST_BYTES }, (_, index) => Math.floor(index / BURST_BYTES)),
};

/** A frame of one grey. */
export const grey = (height: number, width: number): Frame => ({
  height,
  width,
  format: "rgb8",
  samples: new Uint8Array(height * width * 3).fill(128),
});

/** A frame of noise: sample i is the upper 8 bits of i x 2654435761 modulo 2^32. */
export const noise = (height: number, width: number): Frame => ({
  height,
  width,
  format: "rgb8",
  samples: Uint8Array.from({ length: height * width * 3 }, (_, index) => Math.imul(index, 2654435761) >>> 24),
});

export const welcome = {
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
export const summary = { type: "summary", frames: 1, persons: 1, exited: 1, processed: 2, skipped: 0, unread: 2 };
export const progress = (burst_index: number, frame_id = 0) => ({
  type: "progress",
  frame_id,
  burst_index,
  p_person: 0.7,
  confidence: 0.9,
});
export const skip = (burst_index: number) => ({ type: "skip", frame_id: 0, burst_index });
export const decision = (burst_index: number, exited: boolean, skipped = 0, frame_id = 0) => ({
  type: "decision",
  frame_id,
  burst_index,
  p_person: 0.7,
  person: true,
  exited,
  processed: burst_index + 1 - skipped,
  skipped,
  unread: exited ? BURSTS - 1 - burst_index : 0,
  compute_us: 40,
});

/** Time that passes only when the test says so. */
export class ManualClock implements Clock {
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
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

export type Answer = (burst: number, frameId: number) => object[];

export class FakeSocket implements Socket {
  binaryType: BinaryType = "blob";
  bufferedAmount = 0;
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  texts: { type: string }[] = [];
  bursts: { burst: number; count: number; readoutUs: number; atMs: number; bytes: Uint8Array }[] = [];
  closed: number | undefined;
  /** The answer to hello and resume. */
  greeting: object = welcome;

  constructor(
    private readonly clock: Clock,
    private readonly answer: Answer,
  ) {}

  open(): void {
    this.onopen?.({} as Event);
  }

  drop(): void {
    this.onclose?.({} as CloseEvent);
  }

  say(...messages: object[]): void {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) } as MessageEvent);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (typeof data === "string") {
      const message = JSON.parse(data) as { type: string };
      this.texts.push(message);
      if (message.type !== "sync") queueMicrotask(() => this.say(message.type === "end" ? summary : this.greeting));
      return;
    }
    const header = new DataView(data.buffer);
    const burst = header.getUint16(8, true);
    const count = header.getUint16(10, true);
    const readoutUs = Number(header.getBigUint64(16, true));
    const frameId = header.getUint32(4, true);
    this.bursts.push({ burst, count, readoutUs, atMs: this.clock.now(), bytes: data });
    queueMicrotask(() => {
      for (let index = burst; index < burst + count; index++) this.say(...this.answer(index, frameId));
    });
  }

  close(code?: number): void {
    this.closed = code;
  }
}
