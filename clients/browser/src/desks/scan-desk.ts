/**
 * Scanning pictures: one frame under one or two policies, with pause, steps, replay, and thresholds to move.
 *
 * The desk takes a frame through its life (scan-life.ts) and hears of the worker's reports; what can stand alone does
 * (screen, lane, what-if, playhead, transport, panel).
 */

import type { Curve, Frame, FrameResult } from "rascanet-stream";
import { latencyOf } from "../service/latency";
import { type Model, ServiceFault } from "../service/service";
import { policyOf, shownLineTimeMs, windowOf } from "../service/settings";
import type { Meters } from "../view/meters";
import { headline, tell, tellFault } from "../view/notice";
import type { Panel } from "../view/panel";
import type { Report } from "../worker/messages";
import type { Controls } from "./controls";
import type { Engine, Running } from "./engine";
import { LaneState } from "./lane";
import type { Picture } from "./pictures";
import { EMPTY, next, type Phase, type ScanEvent, type ScanState } from "./scan-life";
import { ScanScreen, type Shown } from "./scan-screen";
import type { ScanTeller } from "./scan-teller";
import type { Transportable } from "./transport";
import { WhatIf } from "./what-if";

/** How a picture fared. */
export type Outcome =
  | { kind: "decided"; lane: LaneState; full: Curve }
  | { kind: "fault"; fault: Extract<Report, { kind: "fault" }> };

export interface DeskListener {
  /** What can be done has changed. */
  changed(): void;
  /** A picture is decided, or came to nothing. */
  over(picture: Picture, outcome: Outcome): void;
}

export class ScanDesk implements Shown, Transportable {
  lanes: LaneState[] = [];
  picture: Picture | null = null;
  frame: Frame | null = null;
  full: Curve | null = null;
  state: ScanState = EMPTY;
  /** Whose frame is on the screen, while another picture is opened. */
  private shownPicture: Picture | null = null;
  /** Without the slow motion. */
  private realTime = false;
  private running: Running | null = null;
  /** The scan that waits for its file; whichever was stopped meanwhile finds another one here, or none. */
  private fetching: symbol | null = null;
  private readonly whatIf: WhatIf;
  private readonly screen: ScanScreen;

  constructor(
    private readonly engine: Engine,
    private readonly controls: Controls,
    private readonly meters: Meters,
    private readonly teller: ScanTeller,
    private readonly listener: DeskListener,
  ) {
    this.whatIf = new WhatIf(engine, (lane, how) => this.conclude(lane, how));
    this.screen = new ScanScreen(
      this,
      (...move) => this.moveThreshold(...move),
      () => this.changed(),
    );
  }

  get model(): Model {
    return this.controls.model;
  }

  get lineMs(): number {
    const { settings } = this.controls;
    return this.realTime ? settings.lineTimeUs / 1000 : shownLineTimeMs(settings);
  }

  get phase(): Phase {
    return this.state.phase;
  }

  get panels(): Panel[] {
    return this.screen.panels;
  }

  get replaying(): boolean {
    return this.screen.replaying;
  }

  layOut(anew = false): void {
    this.screen.layOut(anew);
  }

  /** Shows an empty frame of the network's size. */
  clear(): void {
    this.stop();
    this.frame = null;
    this.follow("clear");
    this.prepare();
    this.teller.clear(this.picture ? "Ready" : "Choose a picture", "none");
    this.changed();
  }

  /** Forgets the picture at hand. */
  drop(): void {
    this.picture = null;
    this.shownPicture = null;
    this.clear();
  }

  stop(): void {
    this.fetching = null;
    this.running?.stop();
    this.running = null;
    this.whatIf.stop();
    this.screen.freeze();
  }

  /** Scans a picture; what is on the screen stays until the picture's frame is there. */
  async scan(picture: Picture, { paused = false, realTime = false } = {}): Promise<void> {
    this.stop();
    const fetching = Symbol(picture.name);
    this.fetching = fetching;
    this.picture = picture;
    this.follow("open");
    if (paused) this.follow("pause");
    this.realTime = realTime;
    this.changed();
    this.teller.begin();
    tell(`Scanning ${picture.name}.`);
    let file: Blob;
    try {
      file = await picture.open();
    } catch (error) {
      if (!(error instanceof ServiceFault)) throw error;
      if (this.fetching === fetching) this.fail({ kind: "fault", fault: "refused", message: error.message, code: "" });
      return;
    }
    if (this.fetching !== fetching) return;
    const { variant, height, width } = this.model;
    const window = windowOf(this.controls.settings);
    this.running = this.engine.begin(
      { kind: "expose", file, label: picture.name, variant, height, width, window },
      (report) => {
        if (report.kind === "exposed") this.read(report.frame);
        else if (report.kind === "fault") this.fail(report);
      },
    );
  }

  /** Reads the frame at hand out again, from the rows the page keeps. */
  again(): void {
    const { frame, picture } = this;
    if (picture === null) return;
    if (frame === null || frame.height !== this.model.height) {
      void this.scan(picture);
      return;
    }
    this.stop();
    this.realTime = false;
    this.follow("open");
    this.read(frame);
  }

  pauseOrGo(): void {
    if (this.phase === "reading") {
      this.follow(this.state.paused ? "go" : "pause");
      const { paused } = this.state;
      this.screen.freeze();
      this.running?.pace({ order: paused ? "pause" : "go" });
      tell(paused ? "Paused; the network waits for the next burst." : "Reading on.");
    } else if (this.phase === "decided") {
      if (this.replaying) this.screen.freeze();
      else this.replay(this.screen.rows >= this.screen.endRows ? 0 : this.screen.rows);
    }
    this.changed();
  }

  /** One burst on, or back where that is possible; a picture that was not begun begins, held at its first burst. */
  step(bursts: 1 | -1): void {
    const { burst_rows: burstRows } = this.model;
    if (this.phase === "empty" && this.picture !== null) {
      void this.scan(this.picture, { paused: true });
      return;
    }
    if (this.phase === "reading" && bursts > 0) {
      this.follow("pause");
      this.screen.freeze();
      this.running?.pace({ order: "step", burstRows });
    } else if (this.phase === "decided") {
      this.screen.freeze();
      const at = Math.round(this.screen.rows / burstRows) * burstRows;
      this.seek(Math.min(this.screen.endRows, Math.max(0, at + bursts * burstRows)));
    }
    this.changed();
  }

  replay(from = 0): void {
    if (this.phase !== "decided") return;
    this.realTime = false;
    this.screen.replay(from);
    this.changed();
  }

  /** Shows the decided frame as it was after so many rows. */
  seek(rows: number): void {
    if (this.phase === "decided") this.screen.seek(rows);
  }

  paceChanged(): void {
    this.screen.freeze();
    this.running?.pace({ order: "line-time", lineTimeMs: this.lineMs });
    this.teller.savings(this.lanes, this.frame, this.controls.settings, false);
  }

  /** Parameters were typed: the same as a line moved. */
  parametersChanged(beside: boolean): void {
    const lane = this.lanes[Number(beside)];
    const { settings } = this.controls;
    if (lane) lane.parameters = { ...(beside ? settings.compareParameters : settings.parameters) };
    this.settle(beside);
  }

  private follow(event: ScanEvent): void {
    this.state = next(this.state, event);
  }

  /** What can be done has changed. */
  private changed(): void {
    this.screen.offer(this.picture !== null);
    this.listener.changed();
  }

  private moveThreshold(beside: boolean, parameter: string, value: number, done: boolean): void {
    const lane = this.lanes[Number(beside)];
    if (!lane) return;
    const before = lane.parameters[parameter];
    lane.parameters[parameter] = value;
    this.controls.setParameter(beside, parameter, value);
    const atOnce = lane.rerunPolicy() === null;
    if ((atOnce && before !== value) || done) this.settle(beside);
    else this.screen.draw();
  }

  /** Works out the decision at the parameters in force: at once if the curves at hand say it, else by a rerun. */
  private settle(beside: boolean): void {
    const lane = this.lanes[Number(beside)];
    if (!lane || !this.frame || this.full === null || this.phase === "opening") {
      this.screen.draw();
      return;
    }
    this.stop();
    this.whatIf.settle(lane, this.full, this.frame, this.controls.settings.variant);
  }

  /** A decision that was worked out, not streamed. */
  private conclude(lane: LaneState, how: string): void {
    for (const other of this.lanes) {
      if (other.verdict !== null || this.full === null) continue;
      other.learn(this.full);
      other.reevaluate();
    }
    lane.result = null;
    this.follow("decide");
    this.teller.decision(this.lanes, this.full, how);
    this.teller.savings(this.lanes, this.frame, this.controls.settings, false);
    this.screen.seek(this.screen.endRows);
    this.changed();
  }

  private prepare(): void {
    const { settings, model } = this.controls;
    const lane = (policy: string, parameters: Record<string, number>) =>
      new LaneState(policy, { ...parameters }, model.calibrated, model.bursts_per_frame, model.burst_rows);
    this.lanes = [lane(settings.policy, settings.parameters)];
    if (settings.compare !== "") this.lanes.push(lane(settings.compare, settings.compareParameters));
    this.full = null;
    this.screen.reset();
  }

  private read(frame: Frame): void {
    const { settings } = this.controls;
    this.frame = frame;
    this.shownPicture = this.picture;
    this.follow("expose");
    this.prepare();
    this.teller.clear("Reading …", "reading");
    const lanes = this.lanes.map(({ policy, parameters }) => ({ policy: policyOf(policy, parameters), paced: true }));
    this.running = this.engine.begin(
      {
        kind: "scan",
        variant: settings.variant,
        frame,
        lanes: [...lanes, { policy: { name: "never" }, paced: false }],
        lineTimeMs: this.lineMs,
        paused: this.state.paused,
      },
      (report) => this.hear(report),
    );
  }

  private hear(report: Report): void {
    switch (report.kind) {
      case "started":
        if (this.phase === "opening") this.screen.begin();
        this.follow("start"); // each stream says so
        this.changed();
        break;
      case "rows":
        this.screen.heard(report.rows);
        break;
      case "curve": {
        const lane = this.lanes[report.lane];
        if (lane) lane.curve = report.curve;
        break;
      }
      case "reconnecting": {
        const seconds = (report.delayMs / 1000).toFixed(1);
        const attempt = `attempt ${report.attempt}`;
        tell(`The connection was lost. Trying again in ${seconds} s (${attempt}); the rows are kept.`, "fault");
        break;
      }
      case "reconnected":
        tell("Connected again; the frame goes on from the rows kept.");
        break;
      case "result":
        this.take(report.lane, report.result);
        break;
      case "fault":
        this.fail(report);
        break;
      case "done":
        this.running = null;
        break;
    }
  }

  private take(index: number, result: FrameResult): void {
    const lane = this.lanes[index];
    if (lane === undefined) {
      this.full = result.curve;
      for (const other of this.lanes) other.learn(result.curve);
    } else {
      lane.finish(result);
      if (this.full) lane.learn(this.full);
      if (index === 0) this.meters.addLatency(latencyOf(result, this.controls.settings.lineTimeUs));
    }
    const [first] = this.lanes;
    if (this.lanes.some(({ verdict }) => verdict === null) || this.full === null || first === undefined) return;
    this.follow("decide");
    const lost = Math.max(...this.lanes.map((each) => each.result?.reconnections ?? 0));
    const how = lost > 0 ? "The connection was lost on the way; the frame went on from the rows kept." : "";
    this.teller.decision(this.lanes, this.full, how);
    this.teller.savings(this.lanes, this.frame, this.controls.settings, true);
    this.screen.seek(this.screen.endRows);
    this.changed();
    if (this.picture) this.listener.over(this.picture, { kind: "decided", lane: first, full: this.full });
  }

  private fail(fault: Extract<Report, { kind: "fault" }>): void {
    this.running = null;
    this.follow("fail");
    const { picture } = this;
    if (this.state.shown) {
      this.picture = this.shownPicture;
      this.teller.decision(this.lanes, this.full);
    } else headline("No decision", "none");
    tellFault(fault, () => picture && void this.scan(picture));
    this.screen.draw();
    this.changed();
    if (picture) this.listener.over(picture, { kind: "fault", fault });
  }
}
