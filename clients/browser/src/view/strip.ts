/** Decisions over time: a strip, the table behind it, and who came and left. */

import { type Curve, DEFAULT_HYSTERESIS, Presence, type Verdict, verdictRows } from "rascanet-stream";
import { byId, make, makeTable } from "./dom";
import { percent, probabilityWords } from "./words";

/** Frames kept; older ones make room. */
const STRIP_FRAMES = 240;
const TABLE_FRAMES = 40;
const EVENTS = 50;

/** Ticks of the time axis, at most. */
const TICKS = 6;
const AXIS_PX = 16;

interface Past {
  atMs: number;
  p_person: number;
  person: boolean;
  exited: boolean;
  share: number;
  turn: string | null;
}

export class Strip {
  private readonly canvas = byId<HTMLCanvasElement>("strip");
  private readonly data = byId<HTMLDetailsElement>("strip-data");
  private presence = new Presence();
  private past: Past[] = [];

  constructor() {
    const { appearFrames, leaveFrames, enter, leave } = DEFAULT_HYSTERESIS;
    byId("hysteresis").textContent =
      `Appeared: ${appearFrames} frames in a row with P(person) ≥ ${enter}. Left: ${leaveFrames} with P(person) ≤ ${leave}.`;
    this.data.ontoggle = () => this.fillTable();
  }

  get present(): boolean {
    return this.presence.present;
  }

  clear(): void {
    this.presence = new Presence();
    this.past = [];
    byId("events").replaceChildren();
  }

  add(curve: Curve, { p_person, person, exited, ...verdict }: Verdict, atMs: number): void {
    const rows = verdictRows(curve, { p_person, person, exited, ...verdict });
    const share = rows / (curve.burstsPerFrame * curve.burstRows);
    const turn = this.presence.add(p_person);
    this.past.push({ atMs, p_person, person, exited, share, turn });
    if (this.past.length > STRIP_FRAMES) this.past.shift();
    if (turn !== null) note(turn);
  }

  /** A column a frame, seconds below: as high as the share of rows that was read, its colour the decision, a dot at P(person). */
  draw(): void {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    const context = canvas.getContext("2d");
    if (context === null) return;
    const colours = getComputedStyle(canvas);
    const colour = (name: string) => colours.getPropertyValue(name);
    const step = canvas.width / STRIP_FRAMES;
    const height = canvas.height - AXIS_PX * ratio;
    context.fillStyle = colour("--grid");
    context.fillRect(0, height / 2, canvas.width, ratio);
    this.past.forEach(({ p_person, person, share, turn }, index) => {
      const x = index * step;
      context.globalAlpha = 0.32;
      context.fillStyle = colour(person ? "--stop" : "--confidence");
      context.fillRect(x, height * (1 - share), Math.max(1, step - ratio * 0.5), height * share);
      context.globalAlpha = 1;
      context.fillStyle = colour("--p");
      context.fillRect(x, height * (1 - p_person) - ratio, Math.max(ratio, step), 2 * ratio);
      if (turn === null) return;
      context.fillStyle = colour("--ink");
      context.fillRect(x, 0, 2 * ratio, height);
    });
    this.drawTimes(context, colour("--muted"), colours.fontFamily, step, ratio);
    this.fillTable();
  }

  /** How long ago the frames were decided. */
  private drawTimes(
    context: CanvasRenderingContext2D,
    colour: string,
    family: string,
    step: number,
    ratio: number,
  ): void {
    const { height } = context.canvas;
    const last = this.past.at(-1);
    if (last === undefined) return;
    context.fillStyle = colour;
    context.font = `${11 * ratio}px ${family}`;
    context.textBaseline = "bottom";
    const every = Math.ceil(STRIP_FRAMES / TICKS);
    for (let index = this.past.length - 1; index >= 0; index -= every) {
      const agoS = (last.atMs - (this.past[index] as Past).atMs) / 1000;
      const words = agoS === 0 ? "now" : `−${agoS < 10 ? agoS.toFixed(1) : Math.round(agoS)} s`;
      const wide = context.measureText(words).width;
      const x = Math.min(context.canvas.width - wide, Math.max(0, (index + 0.5) * step - wide / 2));
      context.fillText(words, x, height - ratio);
    }
  }

  private fillTable(): void {
    if (!this.data.open) return;
    const rows = this.past
      .slice(-TABLE_FRAMES)
      .reverse()
      .map(({ p_person, person, exited, share, turn }, index) => [
        index === 0 ? "latest" : `${index} before`,
        person ? "person" : "no person",
        probabilityWords(p_person),
        exited ? `exit at ${percent(share)}` : "to the end",
        turn ?? "",
      ]);
    const head = ["frame", "decision", "P(person)", "read", "turn"];
    byId("strip-table").replaceChildren(makeTable("The latest decisions", head, rows));
  }
}

function note(turn: "appeared" | "left"): void {
  const events = byId("events");
  const time = new Date().toLocaleTimeString();
  events.prepend(make("li", { class: `event-${turn}` }, `Person ${turn} at ${time}`));
  while (events.children.length > EVENTS) events.lastChild?.remove();
}
