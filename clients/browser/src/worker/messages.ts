/** What the page and its worker say to each other. A task is begun under a number of its own and ended by `stop`. */

import type { Curve, Frame, FrameResult, PixelFormat, Policy, StreamFault, Welcome, Window } from "rascanet-stream";
import type { FrameRateReport } from "./frame-rate";

/** Where frames are decided: by a service, or by the network in this page's worker. */
export type Place =
  | {
      at: "service";
      /** Of its websocket. */
      url: string;
      /** The token that the service asks for; empty where it asks for none. */
      bearer: string;
    }
  | { at: "page" };

/** A task that decides frames. */
export interface Placed {
  place: Place;
}

/** One stream over the same frame as others; `paced` ones follow the sensor, the rest gets all rows at once. */
export interface Lane {
  policy: Policy;
  paced: boolean;
}

export interface ScanTask extends Placed {
  kind: "scan";
  variant: string;
  frame: Frame;
  lanes: Lane[];
  lineTimeMs: number;
  paused: boolean;
}

/** Frames of a camera, a video or a recording: from `pictures`, from the recording's bytes, or one by one as `picture`. */
export interface LiveTask extends Placed {
  kind: "live";
  variant: string;
  height: number;
  width: number;
  policy: Policy;
  lineTimeMs: number;
  /** What is shown of each picture; a recording's rows are as they were recorded. */
  window: Window;
  recording?: Uint8Array<ArrayBuffer>;
  pictures?: ReadableStream<VideoFrame>;
}

export interface WallTask extends Placed {
  kind: "wall";
  variant: string;
  policy: Policy;
  frames: Frame[];
  tiles: number;
  lineTimeMs: number;
}

export interface ExposeTask extends Placed {
  kind: "expose";
  /** The network that the frame is for. */
  variant: string;
  file: Blob;
  label: string;
  height: number;
  width: number;
  window: Window;
}

export type Task = ScanTask | LiveTask | WallTask | ExposeTask;

export type PaceOrder =
  | { order: "pause" }
  | { order: "go" }
  | { order: "step"; burstRows: number }
  | { order: "line-time"; lineTimeMs: number };

export type ToWorker =
  | { id: number; task: Task }
  | { id: number; pace: PaceOrder }
  | { id: number; picture: ImageBitmap }
  | { id: number; stop: true };

export interface Tile {
  /** Which of the frames. */
  frame: number;
  /** Rows sent so far. */
  rows: number;
  skipped: number[];
  p_person: number | null;
  decided: boolean;
  person: boolean;
  exited: boolean;
  /** Decided since the wall began. */
  frames: number;
  exits: number;
  framesPerSecond: number;
  reconnecting: boolean;
}

/** Sums over the tiles since the wall began. */
export interface WallTotals {
  frames: number;
  persons: number;
  exits: number;
  bursts: number;
  processed: number;
  framesPerSecond: number;
}

export type Report =
  | { kind: "exposed"; frame: Frame }
  | { kind: "started"; lane: number; welcome: Welcome }
  | { kind: "rows"; lane: number; rows: number }
  | { kind: "curve"; lane: number; curve: Curve }
  | { kind: "result"; lane: number; result: FrameResult }
  | { kind: "reconnecting"; lane: number; attempt: number; delayMs: number }
  | { kind: "reconnected"; lane: number }
  | { kind: "live"; frame: Frame; result: FrameResult; atMs: number }
  | { kind: "rate"; rate: FrameRateReport }
  | { kind: "recording"; height: number; width: number; format: PixelFormat; frames: number; lineTimeUs: number }
  | { kind: "wall"; tiles: Tile[]; totals: WallTotals }
  | { kind: "fault"; fault: StreamFault | "input" | "network" | "page"; message: string; code: string }
  | { kind: "done" };

export type FromWorker = { id: number; report: Report };
