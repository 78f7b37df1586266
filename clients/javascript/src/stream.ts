/**
 * Frames, one after the other, to the service and back, over a connection that is made again when it is lost.
 *
 * The rows of the frame at hand are kept, so after a loss it goes on from them. Socket, clock and chance are arguments.
 */

import { type Clock, pause } from "./clock.js";
import { ANSWER_LIMIT_MS, Connection, type OpenSocket, StreamError, subprotocols } from "./connection.js";
import { addPoint, type Curve, emptyCurve } from "./curve.js";
import { checkFrame, type Frame, rowBytes, rowsOfBursts } from "./frame.js";
import { atOnce, type Pace } from "./pace.js";
import {
  type Decision,
  encodeControl,
  encodeRows,
  HEADER_BYTES,
  type Hello,
  type PixelFormat,
  type Policy,
  type ServerControl,
  type Summary,
  type Welcome,
} from "./wire.js";

export interface StreamSettings {
  url: string;
  /** Token of the service; empty for none. */
  bearer: string;
  variant: string;
  /** Null: the service's default. */
  policy: Policy | null;
  format: PixelFormat;
}

/** What happens to a frame, as it happens; a burst can come again after a reconnection. */
export interface FrameListener {
  started?(welcome: Welcome): void;
  sent?(firstBurst: number, bursts: number): void;
  progress?(curve: Curve, burst: number): void;
  skipped?(curve: Curve, burst: number): void;
  /** The connection is gone; the next attempt comes in `delayMs`. */
  reconnecting?(attempt: number, delayMs: number): void;
  reconnected?(): void;
}

export interface FrameResult {
  welcome: Welcome;
  decision: Decision;
  curve: Curve;
  /** With those that only an audit of the decision wanted. */
  rowsSent: number;
  /** From the last row that the decision needed leaving the sensor to the decision's arrival, ms. */
  roundTripMs: number;
  /** From the start of the readout to the arrival of the decision, as it passed here, ms. */
  decisionMs: number;
  reconnections: number;
}

/** Reads frames out, one after the other: to a service (`FrameStream`) or through a network here (`LocalStream`). */
export interface FrameReader {
  /** The largest number of bytes seen waiting on the way. */
  readonly bufferedPeakBytes: number;
  /** Rows of a burst; unknown before the first welcome. */
  readonly burstRows: number | undefined;
  /** What is granted; `read` opens by itself otherwise. */
  open(): Promise<Welcome>;
  /** Reads a frame out at a pace until it is decided; without a pace all rows are there at once. */
  read(frame: Frame, pace?: Pace, listener?: FrameListener): Promise<FrameResult>;
  /** The polite way out. */
  end(): Promise<unknown>;
}

/** About 45 s in all: as long as a service takes to start again on a busy machine. */
export const MAX_ATTEMPTS = 16;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 5_000;
const SUMMARY_LIMIT_MS = 3_000;
/** A paused frame says something this often, so that the service does not take the stream for dead. */
const KEEP_ALIVE_MS = 8_000;

/** Capped exponential backoff with jitter; `chance` in 0..1. */
export function retryDelayMs(attempt: number, chance: number): number {
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * (0.5 + chance / 2);
}

/** What has been said about the frame at hand. */
interface Reading {
  frameId: number;
  frame: Frame;
  listener: FrameListener;
  curve: Curve;
  decision: Decision | null;
  decidedAtMs: number;
  /** The service is behind and leaves this frame out. */
  shed: boolean;
  skips: Set<number>;
  rowsSent: number;
  /** When each burst left the sensor. */
  sentAtMs: Map<number, number>;
}

export class FrameStream implements FrameReader {
  bufferedPeakBytes = 0;
  private connection: Connection | null = null;
  private reading: Reading | null = null;
  private summary: Summary | null = null;
  private frameId = 0;
  private everOpened = false;
  private syncs = 0;
  /** To go on where the connection ended; empty where there is none. */
  private token = "";

  constructor(
    private readonly settings: StreamSettings,
    private readonly openSocket: OpenSocket,
    private readonly clock: Clock,
    private readonly chance: () => number,
    private readonly stop: AbortSignal,
  ) {}

  /** Rows of a burst; unknown before the first welcome. */
  get burstRows(): number | undefined {
    return this.connection?.welcome?.burst_rows;
  }

  /** Connects; `read` does it by itself otherwise. */
  async open(): Promise<Welcome> {
    return (await this.connected()).welcome as Welcome;
  }

  /**
   * Reads a frame out at a pace until it is decided.
   *
   * @throws {RangeError} a frame of another format than the stream's, or that its samples don't fill.
   * @throws {StreamError} when it can't be decided.
   */
  async read(frame: Frame, pace = atOnce(this.clock), listener: FrameListener = {}): Promise<FrameResult> {
    checkFrame(frame, frame, this.settings.format);
    let reconnections = 0;
    let startMs: number | null = null;
    for (let attempt = 0; ; ) {
      try {
        const connection = await this.connected();
        const welcome = connection.welcome as Welcome;
        if (welcome.height !== frame.height || welcome.width !== frame.width) {
          const words = `The service wants ${welcome.height} x ${welcome.width} pixels, and this frame has ${frame.height} x ${frame.width}.`;
          throw new StreamError("protocol", words);
        }
        if (startMs === null) {
          startMs = this.clock.now();
          listener.started?.(welcome);
        } else {
          reconnections += 1;
          listener.reconnected?.();
        }
        attempt = 0;
        const going = welcome.position;
        const kept = this.reading;
        // Where the token lies within this frame, what was said before it still holds.
        const within = kept?.frame === frame && kept.frameId === going?.frame_id && kept.decision === null;
        const next = within && going && going.next_burst < welcome.bursts_per_frame ? going.next_burst : 0;
        if (next === 0 && going && going.next_burst < welcome.bursts_per_frame) {
          // The token lies within another frame, which nobody waits for any more.
          this.token = "";
          this.drop();
          continue;
        }
        const reading = next > 0 && kept ? kept : this.begin(frame, listener, welcome);
        await this.readOut(reading, pace, connection, welcome, next);
        if (reading.shed) throw new StreamError("silent", "The service is behind and leaves frames out.");
        const decision = reading.decision as Decision;
        const neededMs = reading.sentAtMs.get(decision.burst_index) ?? startMs;
        return {
          welcome,
          decision,
          curve: reading.curve,
          rowsSent: reading.rowsSent,
          roundTripMs: Math.max(0, reading.decidedAtMs - neededMs),
          decisionMs: reading.decidedAtMs - startMs,
          reconnections,
        };
      } catch (error) {
        this.drop();
        const again = error instanceof StreamError && error.passing && this.everOpened && attempt < MAX_ATTEMPTS;
        if (!again) throw error;
        const delayMs = retryDelayMs(attempt, this.chance());
        attempt += 1;
        listener.reconnecting?.(attempt, delayMs);
        await pause(this.clock, delayMs, this.stop);
      }
    }
  }

  /** The polite way out. Everything is decided, so whatever goes wrong here is of no consequence. */
  async end(): Promise<Summary | null> {
    try {
      if (this.connection === null) return null;
      this.connection.send(encodeControl({ type: "end" }));
      await this.connection.until(this.clock.now() + SUMMARY_LIMIT_MS, () => this.summary !== null);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
    } finally {
      this.drop();
    }
    return this.summary;
  }

  private async connected(): Promise<Connection> {
    if (this.connection !== null) return this.connection;
    const socket = this.openSocket(this.settings.url, subprotocols(this.settings.bearer));
    const connection = new Connection(socket, this.clock, this.stop, (message) => this.take(message));
    this.connection = connection;
    const { token } = this;
    try {
      await connection.greet(token === "" ? this.hello() : { type: "resume", token });
    } catch (error) {
      this.drop();
      // A token can expire or be of other weights; then the stream begins anew.
      if (token === "" || !(error instanceof StreamError) || error.fault !== "server") throw error;
      this.token = "";
      return this.connected();
    }
    this.everOpened = true;
    return connection;
  }

  private hello(): Hello {
    const { variant, policy, format } = this.settings;
    return { type: "hello", variant, policy, progress_every: 1, checkpoint_every: 8, pixel_format: format };
  }

  private drop(): void {
    if (this.connection === null) return;
    this.bufferedPeakBytes = Math.max(this.bufferedPeakBytes, this.connection.bufferedPeakBytes);
    this.connection.close();
    this.connection = null;
  }

  private begin(frame: Frame, listener: FrameListener, welcome: Welcome): Reading {
    this.reading = {
      frameId: this.frameId++,
      frame,
      listener,
      curve: emptyCurve(welcome.bursts_per_frame, welcome.burst_rows),
      decision: null,
      decidedAtMs: 0,
      shed: false,
      skips: new Set(),
      rowsSent: 0,
      sentAtMs: new Map(),
    };
    return this.reading;
  }

  private async readOut(
    reading: Reading,
    pace: Pace,
    connection: Connection,
    welcome: Welcome,
    from: number,
  ): Promise<void> {
    const { frame, listener, skips, frameId, sentAtMs } = reading;
    const { burst_rows: burstRows, bursts_per_frame: bursts } = welcome;
    const { message_bytes = Number.POSITIVE_INFINITY, message_bursts = Number.POSITIVE_INFINITY } = welcome.limits;
    const fitting = Math.floor((Number(message_bytes) - HEADER_BYTES) / (burstRows * rowBytes(frame))) - 1;
    const mostBursts = Math.max(1, Math.min(fitting, Number(message_bursts)));
    const send = (first: number, count: number, nowMs: number) => {
      const message = encodeRows({
        frame_id: frameId,
        first_burst: first,
        bursts: count,
        readout_us: Math.max(0, Math.round((nowMs - startMs) * 1000)),
        width: frame.width,
        rows: rowsOfBursts(frame, first, count, burstRows),
        pixel_format: frame.format,
      });
      connection.sendRows(message, count);
      reading.rowsSent += count * burstRows;
    };
    const decided = () => reading.decision !== null || reading.shed;
    const startMs = this.clock.now();
    let next = from;
    const forget = pace.onChange(() => connection.wake());
    try {
      while (next < bursts && !decided()) {
        if (skips.has(next)) {
          next += 1;
          continue;
        }
        if (!(await this.due(pace, (next + 1) * burstRows, connection, decided)) || skips.has(next)) continue;
        await connection.room(decided);
        if (decided()) break;
        let count = 1;
        const nowMs = this.clock.now();
        while (
          count < Math.min(mostBursts, connection.credits - connection.bursts) &&
          next + count < bursts &&
          !skips.has(next + count) &&
          pace.dueMs((next + count + 1) * burstRows) <= nowMs
        ) {
          count += 1;
        }
        for (let burst = next; burst < next + count; burst++) sentAtMs.set(burst, nowMs);
        send(next, count, nowMs);
        listener.sent?.(next, count);
        next += count;
      }
      await connection.within(ANSWER_LIMIT_MS, decided);
      // The rest for an audit goes at once: the frame is there, and nobody waits for an answer.
      while (reading.decision?.audit && next < bursts) {
        await connection.room(() => false);
        const count = Math.min(mostBursts, connection.credits - connection.bursts, bursts - next);
        send(next, count, this.clock.now());
        next += count;
      }
    } catch (error) {
      // A decision holds, whatever becomes of its audit.
      if (reading.decision === null || !(error instanceof StreamError)) throw error;
      this.drop();
    } finally {
      forget();
      this.bufferedPeakBytes = Math.max(this.bufferedPeakBytes, connection.bufferedPeakBytes);
    }
  }

  /** Waits until so many rows are read; false when something else came first. */
  private async due(pace: Pace, rows: number, connection: Connection, decided: () => boolean): Promise<boolean> {
    const dueMs = pace.dueMs(rows);
    const nowMs = this.clock.now();
    if (dueMs <= nowMs) return true;
    const untilMs = Math.min(dueMs, nowMs + KEEP_ALIVE_MS);
    const came = await connection.until(untilMs, () => decided() || pace.dueMs(rows) !== dueMs);
    if (!came && pace.dueMs(rows) > this.clock.now()) {
      connection.send(encodeControl({ type: "sync", token: this.syncs++ }));
    }
    return !decided() && pace.dueMs(rows) <= this.clock.now();
  }

  private take(message: ServerControl): void {
    if (message.type === "summary") this.summary = message;
    if ("token" in message && typeof message.token === "string" && message.token !== "") this.token = message.token;
    const { reading } = this;
    if (reading === null || !("frame_id" in message) || message.frame_id !== reading.frameId) return;
    switch (message.type) {
      case "progress": {
        const { burst_index: burst, p_person, confidence } = message;
        addPoint(reading.curve, { burst, p_person, confidence });
        reading.listener.progress?.(reading.curve, burst);
        break;
      }
      case "shed":
        reading.shed = true;
        break;
      case "skip":
        if (reading.skips.has(message.burst_index)) break; // said again after a reconnection
        reading.skips.add(message.burst_index);
        reading.curve.skipped.push(message.burst_index);
        reading.listener.skipped?.(reading.curve, message.burst_index);
        break;
      case "decision":
        reading.decision = message;
        reading.decidedAtMs = this.clock.now();
        break;
    }
  }
}
