/** Savings and latency, per frame and in total. */

import { type Latency, LatencyLog, PARTS, type Part } from "../service/latency";
import { addSavings, NOTHING_SAVED, type Savings } from "../service/savings";
import { histogram, quantiles } from "../worker/quantiles";
import { byId, make, makeTable } from "./dom";
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
      byId(`saved-${name}-of`).textContent = "";
      byId(`saved-${name}-hint`).textContent = "nothing read yet";
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

  /** Shows one frame's savings: each figure is what was spent, the line below it what was not. */
  showFrame(saved: Savings): void {
    const show = (name: string, used: number, all: number, words: (amount: number) => string, left: string) => {
      const known = all > 0;
      byId(`saved-${name}`).textContent = known ? words(used) : "–";
      byId(`saved-${name}-of`).textContent = known ? `of ${words(all)}` : "";
      byId(`bar-${name}`).style.width = `${known ? Math.min(1, used / all) * 100 : 0}%`;
      byId(`saved-${name}-hint`).textContent = known
        ? `${words(all - used)} ${left} (${percent(1 - used / all)})`
        : "unknown for this network";
    };
    show("rows", saved.rowsSent, saved.rows, String, "never sent");
    show("bytes", saved.bytesSent, saved.bytes, (bytes) => amountWords(bytes, "B"), "saved");
    show("macs", saved.macs, saved.macsFull, (macs) => amountWords(macs, ""), "saved");
    show("time", saved.readoutMs, saved.readoutFullMs, timeWords, "saved");
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
      const { p50: median, p95, p99 } = quantiles(values);
      const caption = make("figcaption", {}, PART_LABELS[part]);
      return make("figure", { class: "histogram" }, caption, bars(values, [median, p95, p99]));
    });
    byId("histograms").replaceChildren(...figures);
    const rows = [...PARTS, "total" as const].map((part) => {
      const { p50: median, p95, p99 } = quantiles(this.log.values(part));
      return [PART_LABELS[part], ...(count === 0 ? ["–", "–", "–"] : [median, p95, p99].map(timeWords))];
    });
    byId("latency-table").replaceChildren(makeTable("Latency of a decision", ["part", "p50", "p95", "p99"], rows));
  }
}

/** A histogram, with lines where the quantiles lie. */
function bars(values: number[], marks: number[]): Element {
  const draw = (tag: "rect" | "line" | "text", attributes: Record<string, string | number>) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    svg.append(element);
    return element;
  };
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${BAR_WIDTH} ${BAR_HEIGHT + 16}`);
  svg.setAttribute("aria-hidden", "true"); // the table says it
  const bins = histogram(values);
  const [first, last] = [bins[0], bins.at(-1)];
  if (first === undefined || last === undefined) return svg;
  const most = Math.max(...bins.map(({ count }) => count));
  const width = BAR_WIDTH / Math.max(12, bins.length);
  bins.forEach(({ count }, index) => {
    const height = (count / most) * BAR_HEIGHT;
    draw("rect", { x: index * width + 0.5, y: BAR_HEIGHT - height, width: Math.max(1, width - 1), height });
  });
  const end = bins.length * width;
  for (const mark of marks) {
    const x = ((mark - first.from) / (last.to - first.from)) * end;
    draw("line", { x1: x, x2: x, y1: 0, y2: BAR_HEIGHT });
  }
  const label = (ms: number, x: number, anchor: string) => {
    draw("text", { x, y: BAR_HEIGHT + 13, "text-anchor": anchor }).textContent = timeWords(ms);
  };
  label(first.from, 0, "start");
  label(last.to, Math.max(120, end), "end");
  return svg;
}
