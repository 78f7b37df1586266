/**
 * One scan: a frame goes to the service burst by burst, at the sensor's pace, until the service has decided.
 *
 * Socket and clock are arguments, so a test drives both.
 */

import { type Frame, rowsOfBurst } from "./frame";
import {
  type Decision,
  decodeControl,
  encodeControl,
  encodeRows,
  type Policy,
  type Progress,
  type ServerControl,
  SUBPROTOCOL,
  type Summary,
  type Welcome,
  WireError,
} from "./wire";

/** The part of a WebSocket that a scan uses. */
export interface Socket {
  binaryType: BinaryType;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Calls back once after `ms`; the result takes that back. */
  after(ms: number, callback: () => void): () => void;
}

export interface ScanSettings {
  url: string;
  variant: string;
  policy: Policy;
  /** Time of one row on the sensor, ms; 0: the next burst goes out as soon as the last one is answered. */
  lineTimeMs: number;
}

/** What happens during a scan, as it happens. */
export interface ScanListener {
  started(welcome: Welcome): void;
  sent(burstIndex: number): void;
  progress(progress: Progress): void;
  skipped(burstIndex: number): void;
  decided(decision: Decision): void;
}

export interface ScanResult {
  welcome: Welcome;
  decision: Decision;
  /** Null when the connection ended before the server could send it; the decision stands all the same. */
  summary: Summary | null;
  burstsSent: number;
  rowBytesSent: number;
  /** From the start of the readout to the arrival of the decision. */
  decisionMs: number;
}

/** `refused`: no connection came about; `lost`: it ended too early; `silent`: no answer in time. */
export type ScanFault = "refused" | "lost" | "silent" | "server" | "protocol" | "stopped";

/** Why a scan came to no decision; the message is for the person at the page. */
export class ScanError extends Error {
  override readonly name = "ScanError";

  constructor(
    readonly fault: ScanFault,
    message: string,
  ) {
    super(message);
  }
}

export const CONNECT_LIMIT_MS = 10_000;
export const ANSWER_LIMIT_MS = 15_000;
/** How long a skip or a decision may lag behind the progress it belongs to. */
const TRAILING_MS = 4;
const SUMMARY_LIMIT_MS = 3_000;
const FRAME_ID = 0;

export async function scan(
  frame: Frame,
  settings: ScanSettings,
  listener: ScanListener,
  openSocket: (url: string, subprotocol: string) => Socket,
  clock: Clock,
  stop: AbortSignal,
): Promise<ScanResult> {
  const conversation = new Conversation(openSocket(settings.url, SUBPROTOCOL), listener, clock, stop);
  try {
    return await readOut(frame, settings, listener, conversation, clock);
  } finally {
    conversation.close();
  }
}

async function readOut(
  frame: Frame,
  settings: ScanSettings,
  listener: ScanListener,
  talk: Conversation,
  clock: Clock,
): Promise<ScanResult> {
  await talk.within(CONNECT_LIMIT_MS, () => talk.opened);
  const { variant, policy } = settings;
  talk.send(encodeControl({ type: "hello", variant, policy, progress_every: 1, pixel_format: "rgb8" }));
  await talk.within(ANSWER_LIMIT_MS, () => talk.welcome !== null);
  const welcome = talk.welcome as Welcome;
  if (welcome.height !== frame.height || welcome.width !== frame.width) {
    throw new ScanError("protocol", `The service wants ${welcome.height} x ${welcome.width} pixels. Reload the page.`);
  }

  const startMs = clock.now();
  const burstMs = welcome.burst_rows * settings.lineTimeMs;
  let burstsSent = 0;
  let rowBytesSent = 0;
  let lastSent = -1;
  listener.started(welcome);
  for (let burst = 0; burst < welcome.bursts_per_frame; burst++) {
    if (burstMs > 0) {
      await talk.until(startMs + (burst + 1) * burstMs, () => talk.decision !== null);
    } else if (lastSent >= 0) {
      const waitedFor = lastSent;
      await talk.within(ANSWER_LIMIT_MS, () => talk.decision !== null || talk.answered(waitedFor));
      // A skip or a decision comes right behind the progress: let it in before the next burst goes out.
      await talk.until(clock.now() + TRAILING_MS, () => talk.decision !== null || talk.skips.has(waitedFor + 1));
    }
    if (talk.decision !== null) break;
    if (talk.skips.has(burst)) continue;
    const readoutMs = burstMs > 0 ? (burst + 1) * burstMs : clock.now() - startMs;
    const message = encodeRows({
      frame_id: FRAME_ID,
      first_burst: burst,
      bursts: 1,
      readout_us: Math.round(readoutMs * 1000),
      width: frame.width,
      rows: rowsOfBurst(frame, burst, welcome.burst_rows),
      pixel_format: "rgb8",
    });
    talk.send(message);
    lastSent = burst;
    burstsSent += 1;
    rowBytesSent += message.length;
    listener.sent(burst);
  }
  await talk.within(ANSWER_LIMIT_MS, () => talk.decision !== null);
  const decision = talk.decision as Decision;
  const decisionMs = talk.decidedAtMs - startMs;
  const summary = await talk.end();
  return { welcome, decision, summary, burstsSent, rowBytesSent, decisionMs };
}

/** The socket's side of a scan: what has been said so far, and a way to wait for more. */
class Conversation {
  opened = false;
  welcome: Welcome | null = null;
  decision: Decision | null = null;
  decidedAtMs = 0;
  readonly skips = new Set<number>();
  private summary: Summary | null = null;
  private lastProgress = -1;
  private failure: ScanError | null = null;
  private wake: () => void = () => {};
  private readonly stopped = () => this.fail(new ScanError("stopped", "Stopped."));

  constructor(
    private readonly socket: Socket,
    private readonly listener: ScanListener,
    private readonly clock: Clock,
    private readonly stop: AbortSignal,
  ) {
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.opened = true;
      this.wake();
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = () =>
      this.fail(
        this.opened
          ? new ScanError("lost", "The connection to the service was lost before it had decided.")
          : new ScanError("refused", "The service can’t be reached."),
      );
    stop.addEventListener("abort", this.stopped);
    if (stop.aborted) this.stopped();
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  answered(burst: number): boolean {
    return this.lastProgress >= burst || this.skips.has(burst);
  }

  /** Waits until `done` or the deadline, whichever is first; a fault of the connection is thrown. */
  until(deadlineMs: number, done: () => boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        cancel();
        this.wake = () => {};
        settle();
      };
      const cancel = this.clock.after(Math.max(0, deadlineMs - this.clock.now()), () => finish(() => resolve(done())));
      this.wake = () => {
        const { failure } = this;
        if (failure !== null) finish(() => reject(failure));
        else if (done()) finish(() => resolve(true));
      };
      this.wake();
    });
  }

  async within(limitMs: number, done: () => boolean): Promise<void> {
    if (await this.until(this.clock.now() + limitMs, done)) return;
    throw this.opened
      ? new ScanError("silent", "The service does not answer.")
      : new ScanError("refused", "The service can’t be reached.");
  }

  /** The polite way out. The decision is made, so whatever goes wrong here is of no consequence. */
  async end(): Promise<Summary | null> {
    try {
      this.send(encodeControl({ type: "end" }));
      await this.until(this.clock.now() + SUMMARY_LIMIT_MS, () => this.summary !== null);
    } catch (error) {
      if (!(error instanceof ScanError)) throw error;
    }
    return this.summary;
  }

  close(): void {
    this.stop.removeEventListener("abort", this.stopped);
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(1000);
  }

  private receive(data: unknown): void {
    let message: ServerControl;
    try {
      if (typeof data !== "string") throw new WireError("unknown_type", "a server sends no binary messages");
      message = decodeControl(data);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.fail(
        new ScanError("protocol", `The service sent something this page does not understand: ${error.message}.`),
      );
      return;
    }
    this.take(message);
    this.wake();
  }

  private take(message: ServerControl): void {
    switch (message.type) {
      case "welcome":
        this.welcome = message;
        break;
      case "progress":
        this.lastProgress = message.burst_index;
        this.listener.progress(message);
        break;
      case "skip":
        this.skips.add(message.burst_index);
        this.listener.skipped(message.burst_index);
        break;
      case "decision":
        this.decision = message;
        this.decidedAtMs = this.clock.now();
        this.listener.decided(message);
        break;
      case "summary":
        this.summary = message;
        break;
      case "error":
        this.fail(new ScanError("server", `The service ended the scan: ${message.message} (${message.code}).`));
        break;
    }
  }

  /** The first fault is the one to tell; what follows is its consequence. */
  private fail(error: ScanError): void {
    this.failure ??= error;
    this.wake();
  }
}
