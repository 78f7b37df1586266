/**
 * Scanning pictures: one frame under one or two policies, with pause, steps, replay, and thresholds to move.
 *
 * The life of a frame in one place, from choosing to deciding; what can stand alone does (lane, what-if, playhead,
 * transport, panel).
 */

import { latencyOf } from "../service/latency";
import { policyLabel } from "../service/policies";
import { costOf, savingsOf } from "../service/savings";
import { ServiceFault, streamUrl } from "../service/service";
import { policyOf, shownLineTimeMs } from "../service/settings";
import { byId } from "../view/dom";
import type { Meters } from "../view/meters";
import { headline, tell, tellFault } from "../view/notice";
import { Panel } from "../view/panel";
import type { ThresholdName } from "../view/threshold-handle";
import { decisionWords, detailWords, fullFrameWords } from "../view/words";
import { type Curve, emptyCurve } from "../worker/curve";
import type { Frame } from "../worker/frame";
import type { Report } from "../worker/messages";
import type { FrameResult } from "../worker/stream";
import type { Controls } from "./controls";
import type { Engine, Running } from "./engine";
import { LaneState } from "./lane";
import type { Picture } from "./pictures";
import { Playhead } from "./playhead";
import { Transport } from "./transport";
import { WhatIf } from "./what-if";

export type Phase = "empty" | "opening" | "reading" | "decided";

export class ScanDesk {
  readonly panels: Panel[];
  lanes: LaneState[] = [];
  picture: Picture | null = null;
  frame: Frame | null = null;
  phase: Phase = "empty";
  paused = false;
  private readonly transport = new Transport(this);
  private readonly whatIf: WhatIf;
  private readonly head = new Playhead();
  private full: Curve | null = null;
  private running: Running | null = null;
  private drawDue = 0;

  constructor(
    private readonly engine: Engine,
    private readonly controls: Controls,
    private readonly meters: Meters,
    /** Hears when a frame is decided or has failed, and what can be done changes. */
    private readonly onPhase: (over: boolean) => void,
  ) {
    this.panels = [false, true].map(
      (beside) =>
        new Panel(beside ? "panel-beside" : "panel", (name, value, done) =>
          this.moveThreshold(beside, name, value, done),
        ),
    );
    this.whatIf = new WhatIf(engine, (lane, how) => this.conclude(lane, how));
    byId("panels").append(...this.panels.map(({ element }) => element));
  }

  /** Shows an empty frame of the network's size. */
  clear(): void {
    this.stop();
    this.frame = null;
    this.full = null;
    this.phase = "empty";
    this.head.reset();
    this.prepare();
    headline(this.picture ? "Ready" : "Choose a picture", "none");
    byId("full-frame").textContent = "";
    this.meters.clearFrame();
    this.draw();
  }

  stop(): void {
    this.running?.stop();
    this.running = null;
    this.whatIf.stop();
    this.head.hold(performance.now());
  }

  /** Scans the picture chosen. */
  async scan(picture: Picture, paused = false): Promise<void> {
    this.clear();
    this.picture = picture;
    this.paused = paused;
    this.phase = "opening";
    this.changed();
    headline("Reading …", "reading");
    tell(`Scanning ${picture.name}.`);
    let file: Blob;
    try {
      file = await picture.open();
    } catch (error) {
      if (!(error instanceof ServiceFault)) throw error;
      this.fail({ kind: "fault", fault: "refused", message: error.message, code: "" });
      return;
    }
    if (this.picture !== picture || this.phase !== "opening") return;
    const { height, width } = this.controls.model;
    this.running = this.engine.begin({ kind: "expose", file, label: picture.name, height, width }, (report) => {
      if (report.kind === "exposed") this.read(report.frame);
      else if (report.kind === "fault") this.fail(report);
    });
  }

  /** Reads the frame at hand out again, from the rows the page keeps. */
  again(): void {
    const { frame, picture } = this;
    if (frame === null || frame.height !== this.controls.model.height) {
      if (picture) void this.scan(picture);
      return;
    }
    this.stop();
    this.paused = false;
    this.read(frame);
  }

  pauseOrGo(): void {
    if (this.phase === "reading") {
      this.paused = !this.paused;
      this.freeze();
      this.running?.pace({ order: this.paused ? "pause" : "go" });
      tell(this.paused ? "Paused; the service waits for the next burst." : "Reading on.");
    } else if (this.phase === "decided") {
      if (this.replaying) this.freeze();
      else this.replay(this.head.rows >= this.endRows() ? 0 : this.head.rows);
    }
    this.changed();
  }

  /** One burst on, or back where that is possible; a picture that was not begun begins, held at its first burst. */
  step(bursts: 1 | -1): void {
    const { burst_rows: burstRows } = this.controls.model;
    if (this.phase === "empty" && this.picture !== null) {
      void this.scan(this.picture, true);
      return;
    }
    if (this.phase === "reading" && bursts > 0) {
      this.paused = true;
      this.freeze();
      this.running?.pace({ order: "step", burstRows });
    } else if (this.phase === "decided") {
      this.freeze();
      const at = Math.round(this.head.rows / burstRows) * burstRows;
      this.seek(Math.min(this.endRows(), Math.max(0, at + bursts * burstRows)));
    }
    this.changed();
  }

  replay(from = 0): void {
    if (this.phase !== "decided") return;
    this.head.replay(from, performance.now());
    this.animate();
    this.changed();
  }

  /** Shows the decided frame as it was after so many rows. */
  seek(rows: number): void {
    if (this.phase !== "decided") return;
    this.head.seek(rows);
    this.draw();
  }

  get replaying(): boolean {
    return this.head.replaying;
  }

  /** What can be done has changed; `over`: the frame is decided, or has failed. */
  private changed(over = false): void {
    this.transport.offer();
    this.onPhase(over);
  }

  endRows(): number {
    return Math.max(0, ...this.lanes.map((lane) => lane.decidedRows() ?? 0));
  }

  paceChanged(): void {
    this.freeze();
    this.running?.pace({ order: "line-time", lineTimeMs: shownLineTimeMs(this.controls.settings) });
    this.showSavings(false);
  }

  /** Parameters were typed: the same as a line moved. */
  parametersChanged(beside: boolean): void {
    const lane = this.lanes[Number(beside)];
    const { settings } = this.controls;
    if (lane) lane.parameters = { ...(beside ? settings.compareParameters : settings.parameters) };
    this.settle(beside);
  }

  private moveThreshold(beside: boolean, name: ThresholdName, value: number, done: boolean): void {
    const lane = this.lanes[Number(beside)];
    if (!lane) return;
    const before = lane.parameters[`${name}_threshold`];
    lane.parameters[`${name}_threshold`] = value;
    this.controls.setParameter(beside, `${name}_threshold`, value);
    if (name === "exit" || done) this.settle(beside, before !== value || done);
    else this.draw();
  }

  /** Works out the decision at the parameters in force: at once if the curves at hand say it, else by a rerun. */
  private settle(beside: boolean, changed = true): void {
    const lane = this.lanes[Number(beside)];
    if (!lane || !this.frame || this.full === null || !changed) {
      this.draw();
      return;
    }
    this.stop();
    this.whatIf.settle(lane, this.full, this.frame, this.controls.settings.variant);
  }

  /** A decision that was worked out, not streamed. */
  private conclude(lane: LaneState, how: string): void {
    for (const other of this.lanes) {
      if (other.verdict === null && this.full) {
        other.learn(this.full);
        other.reevaluate();
      }
    }
    this.phase = "decided";
    this.head.seek(this.endRows());
    this.say(lane);
    tell(`${lane.verdict ? detailWords(lane.curve, lane.verdict) : ""} ${how}`);
    this.showSavings(false);
    this.draw();
    this.changed();
  }

  private prepare(): void {
    const { settings, model } = this.controls;
    const lane = (policy: string, parameters: Record<string, number>) =>
      new LaneState(policy, { ...parameters }, model.bursts_per_frame, model.burst_rows);
    this.lanes = [lane(settings.policy, settings.parameters)];
    if (settings.compare !== "") this.lanes.push(lane(settings.compare, settings.compareParameters));
    byId("panels").dataset.panels = String(this.lanes.length);
    for (const [index, panel] of this.panels.entries()) {
      panel.element.hidden = index >= this.lanes.length;
      panel.name(policyLabel(this.lanes[index]?.policy ?? ""));
    }
  }

  private read(frame: Frame): void {
    const { settings } = this.controls;
    this.frame = frame;
    this.full = null;
    this.head.reset();
    this.prepare();
    byId("full-frame").textContent = "";
    headline("Reading …", "reading");
    this.meters.clearFrame();
    const never = { policy: { name: "never" }, paced: false };
    this.running = this.engine.begin(
      {
        kind: "scan",
        url: streamUrl(location),
        variant: settings.variant,
        frame,
        lanes: [
          ...this.lanes.map(({ policy, parameters }) => ({ policy: policyOf(policy, parameters), paced: true })),
          never,
        ],
        lineTimeMs: shownLineTimeMs(settings),
        paused: this.paused,
      },
      (report) => this.hear(report),
    );
  }

  private hear(report: Report): void {
    switch (report.kind) {
      case "started":
        if (this.phase === "reading") break; // each stream says so
        this.phase = "reading";
        this.head.begin(performance.now());
        this.changed();
        this.animate();
        break;
      case "rows":
        this.head.heard(report.rows, performance.now());
        break;
      case "curve": {
        const lane = this.lanes[report.lane];
        if (lane) lane.curve = report.curve;
        break;
      }
      case "reconnecting": {
        const wait = `${(report.delayMs / 1000).toFixed(1)} s`;
        tell(
          `The connection was lost. Trying again in ${wait} (attempt ${report.attempt}); the rows are kept.`,
          "fault",
        );
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
    if (this.lanes.some(({ verdict }) => verdict === null) || this.full === null) return;
    this.phase = "decided";
    this.head.seek(this.endRows());
    const [first] = this.lanes as [LaneState];
    this.say(first);
    const lost = Math.max(...this.lanes.map(({ result }) => result?.reconnections ?? 0));
    const how = lost > 0 ? " The connection was lost on the way; the frame went on from the rows kept." : "";
    if (first.verdict) tell(detailWords(first.curve, first.verdict) + how);
    this.showSavings(true);
    this.draw();
    this.changed(true);
  }

  private say(lane: LaneState): void {
    const [first] = this.lanes;
    const said = first?.verdict ? first : lane;
    if (said.verdict) headline(decisionWords(said.curve, said.verdict), said.verdict.person ? "person" : "no-person");
    if (this.full && said.verdict) byId("full-frame").textContent = fullFrameWords(this.full, said.verdict);
  }

  private fail(report: Extract<Report, { kind: "fault" }>): void {
    this.running = null;
    this.phase = this.frame ? "decided" : "empty";
    if (this.lanes.every(({ verdict }) => verdict === null)) this.phase = "empty";
    headline("No decision", "none");
    const { picture } = this;
    tellFault(report, () => picture && void this.scan(picture));
    this.draw();
    this.changed(true);
  }

  private showSavings(streamed: boolean): void {
    const [lane] = this.lanes;
    if (!lane?.verdict || !this.frame) return;
    const sent = streamed && lane.result ? { rows: lane.result.rowsSent, bytes: lane.result.rowBytesSent } : undefined;
    const saved = savingsOf(lane.verdict, costOf(this.controls.settings, lane.curve, this.frame), sent);
    if (streamed) {
      this.meters.count(saved);
      this.meters.show();
    } else this.meters.showFrame(saved);
  }

  /** Takes the place of the readout as it is now; used before the pace changes. */
  private freeze(): void {
    this.head.hold(performance.now());
  }

  private animate(): void {
    if (this.drawDue !== 0) return;
    const frame = () => {
      this.drawDue = 0;
      const { settings, model } = this.controls;
      const lineMs = shownLineTimeMs(settings);
      const now = performance.now();
      if (this.phase === "reading") {
        this.head.follow(now, this.paused ? Number.POSITIVE_INFINITY : lineMs, model.burst_rows, model.height);
      } else if (!this.replaying) {
        return;
      } else if (!this.head.advance(now, lineMs, this.endRows())) {
        this.changed();
      }
      this.draw();
      this.animate();
    };
    this.drawDue = requestAnimationFrame(frame);
  }

  draw(): void {
    const { height, width, burst_rows: burstRows } = this.controls.model;
    const { rows } = this.head;
    for (const [index, lane] of this.lanes.entries()) {
      this.panels[index]?.show({
        height,
        width,
        frame: this.frame,
        curve: lane.curve.burstsPerFrame > 0 ? lane.curve : emptyCurve(1, height),
        rows: Math.min(rows, lane.decidedRows() ?? rows),
        reading: this.phase === "reading" || this.replaying,
        verdict: lane.verdict,
        beyond: lane.beyond(this.full),
        thresholds: lane.thresholds,
      });
    }
    this.transport.show(rows, height, this.phase === "decided" ? this.endRows() : height, burstRows);
  }
}
