/** Scanning pictures: one frame under one or two policies, with pause, steps, replay, and thresholds to move. */

import type { Controls } from "./controls";
import { type Curve, emptyCurve } from "./curve";
import { byId } from "./dom";
import type { Engine, Running } from "./engine";
import type { Frame } from "./frame";
import { LaneState } from "./lane";
import { latencyOf } from "./latency";
import type { Report } from "./messages";
import type { Meters } from "./meters";
import { headline, tell, tellFault } from "./notice";
import { Panel } from "./panel";
import type { Picture } from "./pictures";
import { policyLabel } from "./policies";
import { costOf, savingsOf } from "./savings";
import { ServiceFault, streamUrl } from "./service";
import { policyOf, shownLineTimeMs } from "./settings";
import type { FrameResult } from "./stream";
import type { ThresholdName } from "./threshold-handle";
import { decisionWords, detailWords, percent, probabilityWords } from "./words";

export type Phase = "empty" | "opening" | "reading" | "decided";

export class ScanDesk {
  readonly panels: Panel[];
  lanes: LaneState[] = [];
  picture: Picture | null = null;
  frame: Frame | null = null;
  phase: Phase = "empty";
  paused = false;
  /** Rows to show: as far as the readout came, or where replay and steps stand. */
  rows = 0;
  private full: Curve | null = null;
  private running: Running | null = null;
  private rerunning: Running | null = null;
  private replayFrom: { atMs: number; rows: number } | null = null;
  private lastRows = { rows: 0, atMs: 0 };
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
    byId("panels").append(...this.panels.map(({ element }) => element));
  }

  /** Shows an empty frame of the network's size. */
  clear(): void {
    this.stop();
    this.frame = null;
    this.full = null;
    this.phase = "empty";
    this.rows = 0;
    this.prepare();
    headline(this.picture ? "Ready" : "Choose a picture", "none");
    byId("full-frame").textContent = "";
    this.meters.clearFrame();
    this.draw();
  }

  stop(): void {
    this.running?.stop();
    this.rerunning?.stop();
    this.running = this.rerunning = null;
    this.replayFrom = null;
  }

  /** Scans the picture chosen. */
  async scan(picture: Picture, paused = false): Promise<void> {
    this.clear();
    this.picture = picture;
    this.paused = paused;
    this.phase = "opening";
    this.onPhase(false);
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
      if (this.paused) this.freeze();
      this.running?.pace({ order: this.paused ? "pause" : "go" });
      tell(this.paused ? "Paused; the service waits for the next burst." : "Reading on.");
      this.lastRows.atMs = performance.now();
    } else if (this.phase === "decided") {
      if (this.replayFrom !== null) this.freeze();
      else this.replay(this.rows >= this.endRows() ? 0 : this.rows);
    }
    this.onPhase(false);
  }

  /** One burst on, or back where that is possible. */
  step(bursts: 1 | -1): void {
    const { burst_rows: burstRows } = this.controls.model;
    if (this.phase === "reading" && bursts > 0) {
      this.paused = true;
      this.freeze();
      this.running?.pace({ order: "step", burstRows });
    } else if (this.phase === "decided") {
      this.freeze();
      const at = Math.round(this.rows / burstRows) * burstRows;
      this.seek(Math.min(this.endRows(), Math.max(0, at + bursts * burstRows)));
    }
    this.onPhase(false);
  }

  replay(from = 0): void {
    if (this.phase !== "decided") return;
    this.replayFrom = { atMs: performance.now(), rows: from };
    this.rows = from;
    this.animate();
    this.onPhase(false);
  }

  /** Shows the decided frame as it was after so many rows. */
  seek(rows: number): void {
    if (this.phase !== "decided") return;
    this.replayFrom = null;
    this.rows = rows;
    this.draw();
  }

  get replaying(): boolean {
    return this.replayFrom !== null;
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
    this.running?.stop();
    this.running = null;
    this.replayFrom = null;
    lane.learn(this.full);
    const policy = lane.rerunPolicy();
    if (policy === null) {
      lane.reevaluate();
      this.conclude(lane, "Re-evaluated on the never-exit curve; nothing was streamed again.");
      return;
    }
    tell("Rerunning the frame from the rows kept.");
    this.rerunning?.stop();
    const { variant } = this.controls.settings;
    const lanes = [{ policy, paced: false }];
    const task = { kind: "scan", url: streamUrl(location), variant, frame: this.frame, lanes } as const;
    this.rerunning = this.engine.begin({ ...task, lineTimeMs: 0, paused: false }, (report) => {
      if (report.kind === "fault") tellFault(report, () => this.settle(beside));
      if (report.kind !== "result") return;
      lane.learnRerun(report.result);
      const why =
        lane.policy === "published"
          ? "Rerun from the rows kept: a skip changes the hidden state."
          : "Rerun from the rows kept, with these parameters.";
      this.conclude(lane, why);
    });
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
    this.rows = this.endRows();
    this.say(lane);
    tell(`${lane.verdict ? detailWords(lane.curve, lane.verdict) : ""} ${how}`);
    this.showSavings(false);
    this.draw();
    this.onPhase(false);
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
    this.rows = 0;
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
        this.phase = "reading";
        this.lastRows = { rows: 0, atMs: performance.now() };
        this.onPhase(false);
        this.animate();
        break;
      case "rows":
        this.lastRows = { rows: Math.max(this.lastRows.rows, report.rows), atMs: performance.now() };
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
    this.rows = this.endRows();
    const [first] = this.lanes as [LaneState];
    this.say(first);
    if (first.verdict) tell(detailWords(first.curve, first.verdict));
    this.showSavings(true);
    this.draw();
    this.onPhase(true);
  }

  private say(lane: LaneState): void {
    const [first] = this.lanes;
    const said = first?.verdict ? first : lane;
    if (said.verdict) headline(decisionWords(said.curve, said.verdict), said.verdict.person ? "person" : "no-person");
    const last = this.full?.points.at(-1);
    if (!last || !said.verdict) return;
    const person = last.p_person >= 0.5;
    const agrees = person === said.verdict.person ? "it agrees" : "it disagrees";
    byId("full-frame").textContent =
      `What the full frame says: ${person ? "person" : "no person"}, P(person) ${probabilityWords(last.p_person)}; ${agrees}.`;
  }

  private fail(report: Extract<Report, { kind: "fault" }>): void {
    this.running = null;
    this.phase = this.frame ? "decided" : "empty";
    for (const lane of this.lanes) lane.verdict ??= null;
    if (this.lanes.every(({ verdict }) => verdict === null)) this.phase = "empty";
    headline("No decision", "none");
    const { picture } = this;
    tellFault(report, () => picture && void this.scan(picture));
    this.draw();
    this.onPhase(true);
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
    const { rows } = this;
    this.lastRows = { rows, atMs: performance.now() };
    this.replayFrom = null;
  }

  private animate(): void {
    if (this.drawDue !== 0) return;
    const frame = () => {
      this.drawDue = 0;
      const { settings, model } = this.controls;
      const lineMs = shownLineTimeMs(settings);
      const now = performance.now();
      if (this.phase === "reading") {
        const ahead = this.paused ? 0 : (now - this.lastRows.atMs) / lineMs;
        // A burst shows row by row before it is complete, and never further than it.
        const burstEnd = (Math.floor(this.lastRows.rows / model.burst_rows) + 1) * model.burst_rows;
        this.rows = Math.min(this.lastRows.rows + ahead, burstEnd, model.height);
      } else if (this.replayFrom) {
        this.rows = Math.min(this.endRows(), this.replayFrom.rows + (now - this.replayFrom.atMs) / lineMs);
        if (this.rows >= this.endRows()) {
          this.replayFrom = null;
          this.onPhase(false);
        }
      } else return;
      this.draw();
      this.animate();
    };
    this.drawDue = requestAnimationFrame(frame);
  }

  draw(): void {
    const { height, width } = this.controls.model;
    for (const [index, lane] of this.lanes.entries()) {
      this.panels[index]?.show({
        height,
        width,
        frame: this.frame,
        curve: lane.curve.burstsPerFrame > 0 ? lane.curve : emptyCurve(1, height),
        rows: Math.min(this.rows, lane.decidedRows() ?? this.rows),
        reading: this.phase === "reading" || this.replaying,
        verdict: lane.verdict,
        beyond: lane.beyond(this.full),
        thresholds: lane.thresholds,
      });
    }
    const scrub = byId<HTMLInputElement>("scrub");
    scrub.max = String(this.phase === "decided" ? this.endRows() : height);
    scrub.step = String(this.controls.model.burst_rows);
    scrub.value = String(this.rows);
    const words = `${Math.floor(this.rows)} of ${height} rows`;
    scrub.setAttribute("aria-valuetext", words);
    byId("row-count").textContent = `${words} (${percent(this.rows / height)})`;
  }
}
