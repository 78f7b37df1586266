/** Savings and latency, per frame and in total. */

import { byId, make, makeTable } from "./dom";
import { histogram, type Latency, LatencyLog, PARTS, type Part, quantiles } from "./latency";
import { addSavings, NOTHING_SAVED, type Savings } from "./savings";
import { amountWords, counted, percent, timeWords } from "./words";

const PART_LABELS: Record<Part | "total", string> = {
  readout: "Sensor readout",
  compute: "Compute",
  rest: "Rest of the round trip",
  total: "Start to decision",
};
const BAR_WIDTH = 240;
const BAR_HEIGHT = 56;
const SVG = "http://www.w3.org/2000/svg";

export class Meters {
  private total: Savings = NOTHING_SAVED;
  private latest: Savings | null = null;
  private readonly log = new LatencyLog();
  private drawDue = 0;

  constructor() {
    byId("reset-totals").onclick = () => {
      this.total = NOTHING_SAVED;
      this.log.clear();
      this.showTotal();
      this.drawLatency();
    };
    byId<HTMLDetailsElement>("latency").ontoggle = () => this.drawLatency();
    this.drawLatency();
  }

  clearFrame(): void {
    for (const name of ["rows", "bytes", "time", "macs"]) {
      byId(`saved-${name}`).textContent = "–";
      byId(`bar-${name}`).style.width = "0";
    }
  }

  /** Adds a streamed frame to the total; `show` shows it. */
  count(saved: Savings): void {
    this.total = addSavings(this.total, saved);
    this.latest = saved;
  }

  /** Shows the latest frame counted, and the total. */
  show(): void {
    if (this.latest) this.showFrame(this.latest);
    this.showTotal();
  }

  /** Shows one frame's savings. */
  showFrame(saved: Savings): void {
    const show = (name: string, figure: string, share: number, hint: string) => {
      byId(`saved-${name}`).textContent = figure;
      byId(`bar-${name}`).style.width = `${Math.min(1, Math.max(0, share)) * 100}%`;
      byId(`saved-${name}-hint`).textContent = hint;
    };
    const of = (used: number, all: number) => (all > 0 ? used / all : 0);
    const rows = of(saved.rowsSent, saved.rows);
    show("rows", String(saved.rowsSent), rows, `of ${saved.rows} (${percent(rows)})`);
    const bytes = amountWords(saved.bytes - saved.bytesSent, "B");
    show("bytes", bytes, of(saved.bytesSent, saved.bytes), `${amountWords(saved.bytesSent, "B")} sent`);
    show("macs", amountWords(saved.macsFull - saved.macs, ""), of(saved.macs, saved.macsFull), macHint(saved));
    const time = timeWords(saved.readoutFullMs - saved.readoutMs);
    const readout = `${timeWords(saved.readoutMs)} of ${timeWords(saved.readoutFullMs)} readout`;
    show("time", time, of(saved.readoutMs, saved.readoutFullMs), readout);
  }

  addLatency(latency: Latency): void {
    this.log.add(latency);
    if (this.drawDue === 0) this.drawDue = window.setTimeout(() => this.drawLatency(), 250);
  }

  private showTotal(): void {
    const { frames, persons, exits, rows, rowsSent, bytes, bytesSent, macs, macsFull, readoutMs, readoutFullMs } =
      this.total;
    byId("totals").textContent =
      frames === 0
        ? "Nothing streamed yet."
        : `${counted(frames, "frame")}, ${persons} with a person, ${counted(exits, "exit")}: ` +
          `${percent(rowsSent / rows)} of the rows sent, ${amountWords(bytes - bytesSent, "B")}, ` +
          `${amountWords(macsFull - macs, "")} multiply-accumulates and ` +
          `${timeWords(readoutFullMs - readoutMs)} of readout saved.`;
    byId<HTMLButtonElement>("reset-totals").hidden = frames === 0;
  }

  private drawLatency(): void {
    this.drawDue = 0;
    const { p50, count } = quantiles(this.log.values("total"));
    byId("latency-summary").textContent =
      count === 0 ? "no frame yet" : `median ${timeWords(p50)} from start to decision, ${counted(count, "frame")}`;
    if (!byId<HTMLDetailsElement>("latency").open) return;
    const figures = [...PARTS, "total" as const].map((part) => {
      const values = this.log.values(part);
      return make("figure", { class: "histogram" }, make("figcaption", {}, PART_LABELS[part]), bars(values));
    });
    byId("histograms").replaceChildren(...figures);
    const rows = [...PARTS, "total" as const].map((part) => {
      const { p50: median, p95, p99 } = quantiles(this.log.values(part));
      return [PART_LABELS[part], ...(count === 0 ? ["–", "–", "–"] : [median, p95, p99].map(timeWords))];
    });
    byId("latency-table").replaceChildren(makeTable("Latency of a decision", ["part", "p50", "p95", "p99"], rows));
  }
}

function macHint(saved: Savings): string {
  return saved.macsFull > 0 ? `${amountWords(saved.macs, "")} done` : "unknown for this network";
}

function bars(values: number[]): Element {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${BAR_WIDTH} ${BAR_HEIGHT + 16}`);
  svg.setAttribute("aria-hidden", "true"); // the table says it
  const bins = histogram(values);
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const width = BAR_WIDTH / Math.max(12, bins.length);
  bins.forEach(({ count }, index) => {
    const bar = document.createElementNS(SVG, "rect");
    const height = (count / most) * BAR_HEIGHT;
    for (const [name, value] of Object.entries({
      x: index * width + 0.5,
      y: BAR_HEIGHT - height,
      width: Math.max(1, width - 1),
      height,
    })) {
      bar.setAttribute(name, String(value));
    }
    svg.append(bar);
  });
  const label = (text: string, x: number, anchor: string) => {
    const words = document.createElementNS(SVG, "text");
    for (const [name, value] of Object.entries({ x, y: BAR_HEIGHT + 13, "text-anchor": anchor })) {
      words.setAttribute(name, String(value));
    }
    words.textContent = text;
    svg.append(words);
  };
  const [first, last] = [bins[0], bins.at(-1)];
  if (first && last) {
    label(timeWords(first.from), 0, "start");
    label(timeWords(last.to), Math.max(120, bins.length * width), "end");
  }
  return svg;
}
