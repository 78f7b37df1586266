/** One websocket to the service: what it said, what went wrong, and a way to wait for more. */

import type { Clock } from "./clock.js";
import {
  decodeControl,
  encodeControl,
  type Hello,
  type Resume,
  type ServerControl,
  SUBPROTOCOL,
  type Welcome,
  WireError,
} from "./wire.js";

/** The part of a WebSocket that is used here. */
export interface Socket {
  binaryType: BinaryType;
  /** Bytes handed to `send` that have not left yet. */
  readonly bufferedAmount: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

export type OpenSocket = (url: string, subprotocols: string[]) => Socket;

const BEARER_SUBPROTOCOL = "rascanet.bearer.";

/** The subprotocols to offer; a browser's websocket has no header for the service's token, so one of them carries it. */
export function subprotocols(bearer: string): string[] {
  if (bearer === "") return [SUBPROTOCOL];
  const bytes = String.fromCharCode(...new TextEncoder().encode(bearer));
  const encoded = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return [SUBPROTOCOL, BEARER_SUBPROTOCOL + encoded];
}

/** `refused`: no connection came about; `lost`: it ended too early; `silent`: no answer in time. */
export type StreamFault = "refused" | "lost" | "silent" | "server" | "protocol" | "stopped";

/** Why a stream came to nothing; the message is for people. */
export class StreamError extends Error {
  override readonly name = "StreamError";

  constructor(
    readonly fault: StreamFault,
    message: string,
    /** The service's own code, where it gave one. */
    readonly code = "",
  ) {
    super(message);
  }

  /** Whether trying again by itself can help. */
  get passing(): boolean {
    if (this.fault === "server") return PASSING_CODES.has(this.code);
    return this.fault === "lost" || this.fault === "silent" || this.fault === "refused";
  }
}

/** The service's reasons to end a stream that leave a new one possible. */
const PASSING_CODES: ReadonlySet<string> = new Set(["idle", "going_away"]);

export const CONNECT_LIMIT_MS = 10_000;
export const ANSWER_LIMIT_MS = 15_000;
/** More than this is not left waiting in the socket: a slow link slows the sensor, not the memory. */
export const BUFFERED_LIMIT_BYTES = 65_536;
const ROOM_POLL_MS = 2;

export class Connection {
  opened = false;
  welcome: Welcome | null = null;
  /** Bursts that may be sent in all on this connection. */
  credits = Number.POSITIVE_INFINITY;
  /** Bursts sent so far. */
  bursts = 0;
  /** The largest number of bytes seen waiting in the socket. */
  bufferedPeakBytes = 0;
  private failure: StreamError | null = null;
  private readonly waiting = new Set<() => void>();
  private readonly stopped = () => this.fail(new StreamError("stopped", "Stopped."));

  constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
    private readonly stop: AbortSignal,
    private readonly listen: (message: ServerControl) => void,
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
          ? new StreamError("lost", "The connection to the service was lost.")
          : new StreamError("refused", "The service can’t be reached."),
      );
    stop.addEventListener("abort", this.stopped);
    if (stop.aborted) this.stopped();
  }

  /** Says hello, or where to go on; what the service grants. */
  async greet(hello: Hello | Resume): Promise<Welcome> {
    await this.within(CONNECT_LIMIT_MS, () => this.opened);
    this.socket.send(encodeControl(hello));
    await this.within(ANSWER_LIMIT_MS, () => this.welcome !== null);
    return this.welcome as Welcome;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
    this.bufferedPeakBytes = Math.max(this.bufferedPeakBytes, this.socket.bufferedAmount);
  }

  /** Sends rows, which use up credits. */
  sendRows(message: Uint8Array<ArrayBuffer>, bursts: number): void {
    this.bursts += bursts;
    this.send(message);
  }

  /** Waits until the service has given credit and little is left in the socket, or `done`. */
  async room(done: () => boolean): Promise<void> {
    await this.within(ANSWER_LIMIT_MS, () => done() || this.credits > this.bursts);
    const limitMs = this.clock.now() + ANSWER_LIMIT_MS;
    while (this.socket.bufferedAmount > BUFFERED_LIMIT_BYTES && !done()) {
      if (this.clock.now() > limitMs) throw new StreamError("silent", "The service takes no more rows.");
      await this.until(this.clock.now() + ROOM_POLL_MS, done);
    }
  }

  /** Waits until `done` or the deadline, whichever is first; a fault of the connection is thrown. */
  until(deadlineMs: number, done: () => boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        cancel();
        this.waiting.delete(look);
        settle();
      };
      const look = () => {
        const { failure } = this;
        if (failure !== null) finish(() => reject(failure));
        else if (done()) finish(() => resolve(true));
      };
      const waitMs = deadlineMs - this.clock.now();
      const cancel = Number.isFinite(waitMs)
        ? this.clock.after(Math.max(0, waitMs), () => finish(() => resolve(done())))
        : () => {};
      this.waiting.add(look);
      look();
    });
  }

  async within(limitMs: number, done: () => boolean): Promise<void> {
    if (await this.until(this.clock.now() + limitMs, done)) return;
    throw this.opened
      ? new StreamError("silent", "The service does not answer.")
      : new StreamError("refused", "The service can’t be reached.");
  }

  /** Whoever waits looks again. */
  wake(): void {
    for (const look of [...this.waiting]) look();
  }

  close(): void {
    this.stop.removeEventListener("abort", this.stopped);
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(1000);
  }

  private receive(data: unknown): void {
    try {
      if (typeof data !== "string") throw new WireError("unknown_type", "a server sends no binary messages");
      const message = decodeControl(data);
      if (message.type === "welcome") this.welcome = message;
      if ("credits" in message && message.credits) this.credits = message.credits;
      if (message.type === "error") {
        const words = `The service ended the stream: ${message.message} (${message.code}).`;
        this.fail(new StreamError("server", words, message.code));
      }
      this.listen(message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      const words = `The service sent something that is not understood here: ${error.message}.`;
      this.fail(new StreamError("protocol", words));
    }
    this.wake();
  }

  /** The first fault is the one to tell; what follows is its consequence. */
  private fail(error: StreamError): void {
    this.failure ??= error;
    this.wake();
  }
}
