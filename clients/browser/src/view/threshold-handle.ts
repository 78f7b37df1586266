/** A threshold of the plot as something to take hold of: by pointer, or as a slider by the keyboard. */

import { make } from "./dom";

export type ThresholdName = "exit" | "skip";

/** `done`: let go of; before, it is still moving. */
export type OnThreshold = (name: ThresholdName, value: number, done: boolean) => void;

const KEYS: Record<string, number> = {
  ArrowRight: 0.005,
  ArrowUp: 0.005,
  ArrowLeft: -0.005,
  ArrowDown: -0.005,
  PageUp: 0.05,
  PageDown: -0.05,
};

export class ThresholdHandle {
  readonly element: HTMLElement;
  private value = 0;
  private low = 0;
  private high = 1;

  constructor(
    private readonly name: ThresholdName,
    /** P(person) at a place of the screen. */
    private readonly valueAt: (event: PointerEvent) => number,
    private readonly heard: OnThreshold,
  ) {
    this.element = make("div", {
      class: `threshold threshold-${name}`,
      role: "slider",
      tabindex: 0,
      "aria-label": name === "exit" ? "Exit threshold, P(person)" : "Skip threshold, P(person)",
    });
    let moved = false;
    this.element.onpointerdown = (event) => {
      this.element.setPointerCapture(event.pointerId);
      moved = false;
      event.preventDefault();
      this.element.focus();
    };
    this.element.onpointermove = (event) => {
      if (!this.element.hasPointerCapture(event.pointerId)) return;
      moved = true;
      this.change(this.valueAt(event), false);
    };
    this.element.onpointerup = (event) => {
      this.element.releasePointerCapture(event.pointerId);
      if (moved) this.change(this.valueAt(event), true);
    };
    this.element.onkeydown = (event) => {
      const step = KEYS[event.key];
      const value = event.key === "Home" ? this.low : event.key === "End" ? this.high : this.value + (step ?? 0);
      if (step === undefined && event.key !== "Home" && event.key !== "End") return;
      event.preventDefault();
      this.change(value, true);
    };
  }

  set(value: number, low: number, high: number): void {
    Object.assign(this, { value, low, high });
    this.element.setAttribute("aria-valuemin", String(low));
    this.element.setAttribute("aria-valuemax", String(high));
    this.element.setAttribute("aria-valuenow", String(value));
  }

  private change(wanted: number, done: boolean): void {
    const value = Math.round(Math.min(this.high, Math.max(this.low, wanted)) * 1000) / 1000;
    this.heard(this.name, value, done);
  }
}
