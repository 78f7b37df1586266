/** The worker: sockets, capture and row cutting live here, so that neither a busy page nor a hidden tab slows the rows. */

import {
  LoadError,
  Pace,
  PolicyError,
  RecordingError,
  realClock,
  StreamError,
  WeightsError,
  type Window,
} from "rascanet-stream";
import { FrameRate } from "./frame-rate";
import type { Report, Task, ToWorker } from "./messages";
import { NetworkError, Networks } from "./networks";
import { exposeFrame, PhotoError } from "./photo";
import { expose, LiveFeed, live, scan, type Tell, type World, wall } from "./tasks";

interface Running {
  stop: AbortController;
  pace: Pace;
  feed: LiveFeed;
  /** Height and width of a live task's frames, and what is shown of its pictures. */
  shown: [number, number, Window] | null;
}

const running = new Map<number, Running>();
const networks = new Networks();
const world: World = {
  network: (name) => networks.get(name),
  openSocket: (url, subprotocols) => new WebSocket(url, subprotocols),
  clock: realClock,
  chance: Math.random,
};

function begin(id: number, task: Task): void {
  const stop = new AbortController();
  const pace = new Pace(
    realClock,
    "lineTimeMs" in task ? task.lineTimeMs : 0,
    task.kind === "scan" ? task.paused : false,
  );
  const feed = new LiveFeed(realClock, new FrameRate());
  running.set(id, { stop, pace, feed, shown: task.kind === "live" ? [task.height, task.width, task.window] : null });
  const tell: Tell = (report: Report, transfer = []) => postMessage({ id, report }, { transfer });
  if (task.kind === "live" && task.pictures) {
    void capture(
      task.pictures,
      (picture) => feed.offer(exposeFrame(picture, task.height, task.width, task.window)),
      stop.signal,
    );
  }
  void work(task, pace, feed, stop.signal, tell)
    .then(() => tell({ kind: "done" }))
    .catch((error: unknown) => tell(fault(error)))
    .finally(() => {
      stop.abort();
      running.delete(id);
    });
}

/** Takes a camera's pictures as they come, each cut down to a frame while the one before is still being read out. */
async function capture(
  pictures: ReadableStream<VideoFrame>,
  take: (picture: VideoFrame) => void,
  stop: AbortSignal,
): Promise<void> {
  const reader = pictures.getReader();
  stop.addEventListener("abort", () => void reader.cancel());
  while (!stop.aborted) {
    const { done, value } = await reader.read();
    if (done) return; // the camera is gone, and the page says so
    take(value);
  }
}

function work(task: Task, pace: Pace, feed: LiveFeed, stop: AbortSignal, tell: Tell): Promise<void> {
  switch (task.kind) {
    case "expose":
      return expose(task, world, tell);
    case "scan":
      return scan(task, pace, world, stop, tell);
    case "live":
      return live(task, feed, pace, world, stop, tell);
    case "wall":
      return wall(task, world, stop, tell);
  }
}

/** What can be wrong with a network in this page, or with what is asked of it. */
const NETWORK_FAULTS = [LoadError, NetworkError, PolicyError, WeightsError] as const;

function fault(error: unknown): Report {
  if (error instanceof StreamError) {
    return { kind: "fault", fault: error.fault, message: error.message, code: error.code };
  }
  if (error instanceof PhotoError || error instanceof RecordingError) {
    return { kind: "fault", fault: "input", message: error.message, code: "" };
  }
  if (NETWORK_FAULTS.some((kind) => error instanceof kind)) {
    return { kind: "fault", fault: "network", message: `${(error as Error).message}`, code: "" };
  }
  return { kind: "fault", fault: "page", message: String(error), code: "" };
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if ("task" in data) return begin(data.id, data.task);
  const task = running.get(data.id);
  if ("picture" in data) {
    // Cut down to a frame at once, while the one before is still being read out.
    if (task?.shown) task.feed.offer(exposeFrame(data.picture, ...task.shown));
    else data.picture.close();
    return;
  }
  if (task === undefined) return;
  if ("stop" in data) return task.stop.abort();
  switch (data.pace.order) {
    case "pause":
      return task.pace.pause();
    case "go":
      return task.pace.go();
    case "step":
      return task.pace.step(data.pace.burstRows);
    case "line-time":
      return task.pace.setLineTime(data.pace.lineTimeMs);
  }
};
