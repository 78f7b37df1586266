/** What the worker does for the page; each task runs until it is done or stopped, and reports as it goes. */

import {
  atOnce,
  type Clock,
  type Frame,
  type FrameReader,
  FrameStream,
  LocalStream,
  MAX_RECORDING_BYTES,
  type OpenSocket,
  Pace,
  type PixelFormat,
  type Policy,
  parsePolicy,
  pause,
  RecordingError,
  readRecording,
} from "rascanet-stream";
import type { Certified } from "rascanet-stream/shipped";
import type { FrameRate } from "./frame-rate";
import type { ExposeTask, LiveTask, Placed, Report, ScanTask, Tile, WallTask, WallTotals } from "./messages";
import { exposeFile } from "./photo";

export interface World {
  openSocket: OpenSocket;
  /** A network of this page and its certificate's policy, by the name of its weights. */
  network: (name: string) => Promise<Certified>;
  clock: Clock;
  chance: () => number;
}

export type Tell = (report: Report, transfer?: Transferable[]) => void;

const REPORT_MS = 100;
/** How long a decided frame stays on the wall. */
const WALL_REST_MS = 400;

async function streamOf(
  { place, variant }: Placed & { variant: string },
  policy: Policy,
  format: PixelFormat,
  { openSocket, network: find, clock, chance }: World,
  stop: AbortSignal,
): Promise<FrameReader> {
  if (place.at === "service") {
    const { url, bearer } = place;
    return new FrameStream({ url, bearer, variant, policy, format }, openSocket, clock, chance, stop);
  }
  const { network, policy: certified } = await find(variant);
  return new LocalStream(network, parsePolicy(policy, certified.wanted), format, clock, stop);
}

export async function expose(task: ExposeTask, world: World, tell: Tell): Promise<void> {
  // Loaded meanwhile; whoever scans the frame hears what is wrong.
  if (task.place.at === "page") world.network(task.variant).catch(() => {});
  const frame = await exposeFile(task.file, task.label, task.height, task.width, task.window);
  tell({ kind: "exposed", frame }, [frame.samples.buffer]);
}

/** One frame through several streams; the paced ones follow the same sensor. */
export async function scan(task: ScanTask, pace: Pace, world: World, stop: AbortSignal, tell: Tell): Promise<void> {
  const lanes = await Promise.all(
    task.lanes.map(async ({ policy, paced }) => ({
      paced,
      stream: await streamOf(task, policy, task.frame.format, world, stop),
    })),
  );
  await Promise.all(lanes.map(({ stream }) => stream.open()));
  pace.start();
  const whole = atOnce(world.clock);
  await Promise.all(
    lanes.map(async ({ stream, paced }, lane) => {
      let burstRows = 0;
      const result = await stream.read(task.frame, paced ? pace : whole, {
        started(welcome) {
          burstRows = welcome.burst_rows;
          tell({ kind: "started", lane, welcome });
        },
        sent: (first, bursts) => paced && tell({ kind: "rows", lane, rows: (first + bursts) * burstRows }),
        progress: (curve) => paced && tell({ kind: "curve", lane, curve }),
        skipped: (curve) => paced && tell({ kind: "curve", lane, curve }),
        reconnecting: (attempt, delayMs) => tell({ kind: "reconnecting", lane, attempt, delayMs }),
        reconnected: () => tell({ kind: "reconnected", lane }),
      });
      tell({ kind: "result", lane, result });
      await stream.end();
    }),
  );
}

/** Frames as they come, the newest always next: one that comes while another waits takes its place. */
export class LiveFeed {
  private waiting: Frame | null = null;
  private wake: () => void = () => {};

  constructor(
    private readonly clock: Clock,
    readonly rate: FrameRate,
  ) {}

  offer(frame: Frame): void {
    this.rate.capture(this.clock.now());
    if (this.waiting !== null) this.rate.drop();
    this.waiting = frame;
    this.rate.wait(1);
    this.wake();
  }

  /** The frame that waits, or the next one; null once stopped. */
  async take(stop: AbortSignal): Promise<Frame | null> {
    while (this.waiting === null && !stop.aborted) {
      await new Promise<void>((resolve) => {
        this.wake = () => {
          stop.removeEventListener("abort", this.wake);
          resolve();
        };
        stop.addEventListener("abort", this.wake);
      });
    }
    const taken = this.waiting;
    this.waiting = null;
    return stop.aborted ? null : taken;
  }
}

/** Frame after frame of a live source over one stream, each read out at the sensor's pace. */
export async function live(
  task: LiveTask,
  feed: LiveFeed,
  pace: Pace,
  world: World,
  stop: AbortSignal,
  tell: Tell,
): Promise<void> {
  const { clock } = world;
  let format: PixelFormat = "rgb8";
  if (task.recording !== undefined) {
    if (task.window.region !== null || task.window.masks.length > 0) {
      throw new RecordingError(
        "Areas and a region can’t be applied to a recording. Remove them to play the recording.",
      );
    }
    if (task.recording.length > MAX_RECORDING_BYTES) throw new RecordingError("The recording is too large to play.");
    const recording = readRecording(task.recording);
    ({ format } = recording);
    if (recording.height !== task.height || recording.width !== task.width) {
      const size = `${recording.height} x ${recording.width}`;
      throw new RecordingError(`The recording is of ${size} pixels; choose the network of that size.`);
    }
    const { height, width, frames, lineTimeUs } = recording;
    tell({ kind: "recording", height, width, format, frames: frames.length, lineTimeUs });
    void play(recording.frames, feed, clock, stop);
  }
  const stream = await streamOf(task, task.policy, format, world, stop);
  const welcome = await stream.open();
  tell({ kind: "started", lane: 0, welcome });
  let reportedMs = clock.now();
  while (!stop.aborted) {
    const frame = await feed.take(stop);
    if (frame === null) break;
    pace.start();
    const result = await stream.read(frame, pace, {
      reconnecting: (attempt, delayMs) => tell({ kind: "reconnecting", lane: 0, attempt, delayMs }),
      reconnected: () => tell({ kind: "reconnected", lane: 0 }),
    });
    const nowMs = clock.now();
    feed.rate.read(nowMs);
    tell({ kind: "live", frame, result, atMs: nowMs });
    if (nowMs - reportedMs >= REPORT_MS) {
      reportedMs = nowMs;
      tell({ kind: "rate", rate: feed.rate.report(stream.bufferedPeakBytes) });
    }
  }
}

/** A recording's frames at their own times, over and over. */
async function play(
  frames: { startMs: number; frame: Frame }[],
  feed: LiveFeed,
  clock: Clock,
  stop: AbortSignal,
): Promise<void> {
  const first = frames[0]?.startMs ?? 0;
  const last = frames.at(-1)?.startMs ?? 0;
  const periodMs = frames.length > 1 ? (last - first) / (frames.length - 1) : 1000;
  let beginMs = clock.now();
  while (!stop.aborted) {
    for (const { startMs, frame } of frames) {
      await pause(clock, Math.max(0, beginMs + startMs - first - clock.now()), stop);
      if (stop.aborted) return;
      feed.offer(frame);
    }
    beginMs += last - first + periodMs;
  }
}

/** Many sensors at once, each with a stream of its own. */
export async function wall(task: WallTask, world: World, stop: AbortSignal, tell: Tell): Promise<void> {
  const { clock } = world;
  const tiles: Tile[] = Array.from({ length: task.tiles }, (_, index) => ({
    frame: index % task.frames.length,
    rows: 0,
    skipped: [],
    p_person: null,
    decided: false,
    person: false,
    exited: false,
    frames: 0,
    exits: 0,
    framesPerSecond: 0,
    reconnecting: false,
  }));
  const totals: WallTotals = { frames: 0, persons: 0, exits: 0, bursts: 0, processed: 0, framesPerSecond: 0 };
  const beginMs = clock.now();
  const sensor = async (tile: Tile, index: number) => {
    // Sensors don't start in step: the first ones are spread over the time of one frame.
    const [frame] = task.frames as [Frame];
    await pause(clock, (index / task.tiles) * frame.height * task.lineTimeMs, stop);
    const stream = await streamOf(task, task.policy, frame.format, world, stop);
    const pace = new Pace(clock, task.lineTimeMs);
    while (!stop.aborted) {
      Object.assign(tile, { rows: 0, skipped: [], p_person: null, decided: false, exited: false });
      await stream.open();
      pace.start();
      const picture = task.frames[tile.frame] as Frame;
      const { decision, welcome } = await stream.read(picture, pace, {
        sent: (first, bursts) => {
          tile.rows = (first + bursts) * (stream.burstRows ?? 1);
        },
        progress: (curve) => {
          tile.p_person = curve.points.at(-1)?.p_person ?? null;
        },
        skipped: (_curve, burst) => {
          tile.skipped.push(burst);
        },
        reconnecting: () => {
          tile.reconnecting = true;
        },
        reconnected: () => {
          tile.reconnecting = false;
        },
      });
      const rows = decision.exited ? (decision.burst_index + 1) * welcome.burst_rows : welcome.height;
      Object.assign(tile, { rows, p_person: decision.p_person, decided: true });
      Object.assign(tile, { person: decision.person, exited: decision.exited });
      tile.frames += 1;
      tile.exits += Number(decision.exited);
      totals.frames += 1;
      totals.persons += Number(decision.person);
      totals.exits += Number(decision.exited);
      totals.bursts += welcome.bursts_per_frame;
      totals.processed += decision.processed;
      await pause(clock, WALL_REST_MS, stop);
      tile.frame = (tile.frame + 1) % task.frames.length;
    }
  };
  let over = false;
  const reporting = (async () => {
    while (!stop.aborted && !over) {
      await pause(clock, REPORT_MS, stop);
      const seconds = Math.max(1, clock.now() - beginMs) / 1000;
      totals.framesPerSecond = totals.frames / seconds;
      for (const tile of tiles) tile.framesPerSecond = tile.frames / seconds;
      tell({ kind: "wall", tiles, totals });
    }
  })();
  try {
    await Promise.all(tiles.map(sensor));
  } finally {
    over = true;
  }
  await reporting;
}
