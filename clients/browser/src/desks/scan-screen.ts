/** What a scan looks like: its panels and the place of the readout, drawn as the state of the scan says. */

import { type Curve, emptyCurve, type Frame } from "rascanet-stream";
import { policyLabel } from "../service/policies";
import type { Model } from "../service/service";
import { byId } from "../view/dom";
import { Panel } from "../view/panel";
import type { OnThreshold } from "../view/threshold-handle";
import type { LaneState } from "./lane";
import { Playhead } from "./playhead";
import { abilities, type ScanState } from "./scan-life";
import { Transport, type Transportable } from "./transport";

/** The scan that is shown. */
export interface Shown {
  readonly state: ScanState;
  readonly model: Model;
  readonly lanes: readonly LaneState[];
  readonly frame: Frame | null;
  /** The frame's curve under the policy *never*. */
  readonly full: Curve | null;
  /** Time of one line as it passes here, ms. */
  readonly lineMs: number;
}

export class ScanScreen {
  readonly panels: Panel[];
  private readonly head = new Playhead();
  private readonly transport: Transport;
  private drawDue = 0;

  /** `changed`: a replay came to its end. */
  constructor(
    private readonly shown: Shown & Transportable,
    onThreshold: (beside: boolean, ...move: Parameters<OnThreshold>) => void,
    private readonly changed: () => void,
  ) {
    this.panels = [false, true].map(
      (beside) => new Panel(beside ? "panel-beside" : "panel", (...move) => onThreshold(beside, ...move)),
    );
    byId("panels").append(...this.panels.map(({ element }) => element));
    this.transport = new Transport(shown);
  }

  get rows(): number {
    return this.head.rows;
  }

  get replaying(): boolean {
    return this.head.replaying;
  }

  /** Rows of the lane that was read furthest, once it is decided. */
  get endRows(): number {
    return Math.max(0, ...this.shown.lanes.map((lane) => lane.decidedRows() ?? 0));
  }

  offer(hasPicture: boolean): void {
    this.transport.offer(abilities(this.shown.state, this.replaying, hasPicture));
  }

  /** Other lanes, or none of their rows yet. */
  reset(): void {
    const { lanes } = this.shown;
    this.head.reset();
    byId("panels").dataset.panels = String(lanes.length);
    for (const [index, panel] of this.panels.entries()) {
      panel.element.hidden = index >= lanes.length;
      panel.name(policyLabel(lanes[index]?.policy ?? ""));
    }
    this.layOut();
    this.draw();
  }

  layOut(anew = false): void {
    for (const panel of this.panels) panel.layOut(anew);
  }

  begin(): void {
    this.head.begin(performance.now());
    this.animate();
  }

  heard(rows: number): void {
    this.head.heard(rows, performance.now());
  }

  /** Takes the place of the readout as it is now. */
  freeze(): void {
    this.head.hold(performance.now());
  }

  replay(from: number): void {
    this.head.replay(from, performance.now());
    this.animate();
  }

  seek(rows: number): void {
    this.head.seek(rows);
    this.draw();
  }

  draw(): void {
    const { lanes, frame, full, state, model } = this.shown;
    const { height, width, burst_rows: burstRows } = model;
    const { rows } = this.head;
    for (const [index, lane] of lanes.entries()) {
      this.panels[index]?.show({
        height,
        width,
        frame,
        curve: lane.curve.burstsPerFrame > 0 ? lane.curve : emptyCurve(1, height),
        rows: Math.min(rows, lane.decidedRows() ?? rows),
        reading: state.phase === "reading" || this.replaying,
        verdict: lane.verdict,
        beyond: lane.beyond(full),
        lines: lane.lines,
      });
    }
    this.transport.show(rows, height, state.shown ? this.endRows : height, burstRows);
  }

  private animate(): void {
    if (this.drawDue !== 0) return;
    const frame = () => {
      this.drawDue = 0;
      const { state, model, lineMs } = this.shown;
      const now = performance.now();
      if (state.phase === "reading") {
        const passing = state.paused ? Number.POSITIVE_INFINITY : lineMs;
        this.head.follow(now, passing, model.burst_rows, model.height);
      } else if (!this.replaying) {
        return;
      } else if (!this.head.advance(now, lineMs, this.endRows)) {
        this.changed();
      }
      this.draw();
      this.animate();
    };
    this.drawDue = requestAnimationFrame(frame);
  }
}
