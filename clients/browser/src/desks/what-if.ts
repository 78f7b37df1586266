/** Other thresholds for a frame that was read: told from the curve without exit, or run again from the rows kept. */

import type { Curve, Frame } from "rascanet-stream";
import { tell, tellFault } from "../view/notice";
import type { Engine, Running } from "./engine";
import type { LaneState } from "./lane";

export class WhatIf {
  private running: Running | null = null;

  /** `settled` hears how a lane's verdict came about. */
  constructor(
    private readonly engine: Engine,
    private readonly settled: (lane: LaneState, how: string) => void,
  ) {}

  stop(): void {
    this.running?.stop();
    this.running = null;
  }

  /** Works out the verdict at the lane's parameters; `full` is the frame's curve under the policy *never*. */
  settle(lane: LaneState, full: Curve, frame: Frame, variant: string): void {
    lane.learn(full);
    const policy = lane.rerunPolicy();
    if (policy === null) {
      lane.reevaluate();
      this.settled(lane, "Worked out from the frame’s whole curve; nothing was sent again.");
      return;
    }
    tell("Reading the frame again, from the rows kept.");
    this.stop();
    const why = lane.policy === "published" ? ": a skip changes the hidden state." : ", with these parameters.";
    this.running = this.engine.begin(
      {
        kind: "scan",
        variant,
        frame,
        lanes: [{ policy, paced: false }],
        lineTimeMs: 0,
        paused: false,
      },
      (report) => {
        if (report.kind === "fault") tellFault(report, () => this.settle(lane, full, frame, variant));
        if (report.kind !== "result") return;
        lane.learnRerun(report.result);
        this.settled(lane, `Read again from the rows kept${why}`);
      },
    );
  }
}
