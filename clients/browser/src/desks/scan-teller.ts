/** Says what became of a scan: the decision in words, what the whole frame says, what was spent. */

import type { Curve, Frame } from "rascanet-stream";
import { policyLabel } from "../service/policies";
import { costOf, savingsOf } from "../service/savings";
import type { Settings } from "../service/settings";
import { byId } from "../view/dom";
import type { Meters } from "../view/meters";
import { headline, tell } from "../view/notice";
import type { SavingsCards } from "../view/savings-cards";
import { decisionWords, detailWords, fullFrameWords } from "../view/words";
import type { LaneState } from "./lane";

export class ScanTeller {
  constructor(
    private readonly meters: Meters,
    private readonly cards: SavingsCards,
  ) {}

  /** The next picture is opened; what was saved on the last one is still shown. */
  begin(): void {
    headline("Reading …", "reading");
    byId("detail").textContent = "";
  }

  /** Nothing is decided. */
  clear(words: string, verdict: "reading" | "none"): void {
    headline(words, verdict);
    byId("detail").textContent = "";
    byId("full-frame").textContent = "";
    this.cards.clear();
  }

  /** The first lane's decision in words, and how it came about. */
  decision([lane]: readonly LaneState[], full: Curve | null, how = ""): void {
    if (!lane?.verdict) return;
    const { curve, verdict, result } = lane;
    headline(decisionWords(curve, verdict), verdict.person ? "person" : "no-person");
    if (full) byId("full-frame").textContent = fullFrameWords(full, verdict);
    byId("detail").textContent = `${detailWords(curve, verdict, result?.rowsSent)} ${how}`.trim();
    tell("");
  }

  /** What every lane spent on the frame; `streamed`: just now, so that it counts. */
  savings(lanes: readonly LaneState[], frame: Frame | null, settings: Settings, streamed: boolean): void {
    if (frame === null) return;
    const spent = lanes.flatMap(({ policy, curve, verdict, result }) => {
      if (verdict === null) return [];
      const saved = savingsOf(verdict, costOf(settings, curve, frame), result?.rowsSent);
      return [{ name: policyLabel(policy), saved }];
    });
    const [first] = spent;
    if (first === undefined) return;
    this.cards.show(spent);
    if (!streamed) return;
    this.meters.count(first.saved);
    this.meters.show();
  }
}
