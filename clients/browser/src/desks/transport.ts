/** The buttons of a scan: replay, back, pause, step, the slider of rows. */

import { byId } from "../view/dom";
import { percent } from "../view/words";
import type { Abilities } from "./scan-life";

/** What the buttons move. */
export interface Transportable {
  pauseOrGo(): void;
  step(bursts: 1 | -1): void;
  replay(): void;
  seek(rows: number): void;
}

export class Transport {
  private readonly replay = byId<HTMLButtonElement>("replay");
  private readonly back = byId<HTMLButtonElement>("back");
  private readonly pause = byId<HTMLButtonElement>("pause");
  private readonly on = byId<HTMLButtonElement>("step");
  private readonly scrub = byId<HTMLInputElement>("scrub");

  constructor(desk: Transportable) {
    this.replay.onclick = () => desk.replay();
    this.back.onclick = () => desk.step(-1);
    this.pause.onclick = () => desk.pauseOrGo();
    this.on.onclick = () => desk.step(1);
    this.scrub.oninput = () => desk.seek(this.scrub.valueAsNumber);
  }

  /** Says what can be done now. */
  offer({ pause, pauseEnabled, step, wind }: Abilities): void {
    this.pause.textContent = pause;
    this.pause.disabled = !pauseEnabled;
    this.on.disabled = !step;
    for (const control of [this.replay, this.back, this.scrub]) control.disabled = !wind;
  }

  /** Shows so many rows, of which the slider goes up to `end`. */
  show(rows: number, height: number, end: number, burstRows: number): void {
    const words = `${Math.floor(rows)} of ${height} rows`;
    Object.assign(this.scrub, { max: String(end), step: String(burstRows), value: String(rows) });
    this.scrub.setAttribute("aria-valuetext", words);
    byId("row-count").textContent = `${words} (${percent(rows / height)})`;
  }
}
