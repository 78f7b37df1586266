/** A threshold of the plot as something to take hold of: by pointer, or as a slider by the keyboard. */

import type { LineKind } from "rascanet-stream";
import { make } from "./dom";

/** Hears of a parameter's new value; `done`: let go of; before, it is still moving. */
export type OnThreshold = (parameter: string, value: number, done: boolean) => void;

const LABELS: Record<LineKind, string> = {
  exit: "Exit threshold for a person, P(person)",
  empty: "Exit threshold for no person, P(person)",
  skip: "Skip threshold, P(person)",
};

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
  private parameter = "";
  private value = 0;
  private low = 0;
  private high = 1;

  constructor(
    kind: LineKind,
    /** P(person) at a place of the screen. */
    private readonly valueAt: (event: PointerEvent) => number,
    private readonly heard: OnThreshold,
  ) {
    this.element = make("div", {
      class: `threshold threshold-${kind}`,
      role: "slider",
      tabindex: 0,
      "aria-label": LABELS[kind],
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

  /** Stands at a parameter's value, and lets it be moved between `low` and `high`. */
  set(parameter: string, value: number, low: number, high: number): void {
    Object.assign(this, { parameter, value, low, high });
    this.element.setAttribute("aria-valuemin", String(low));
    this.element.setAttribute("aria-valuemax", String(high));
    this.element.setAttribute("aria-valuenow", String(value));
  }

  private change(wanted: number, done: boolean): void {
    const value = Math.round(Math.min(this.high, Math.max(this.low, wanted)) * 1000) / 1000;
    this.heard(this.parameter, value, done);
  }
}
