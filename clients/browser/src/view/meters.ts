/** Savings of all frames so far, and where the time to their decisions went. */

import { type Latency, LatencyLog, PARTS, type Part } from "../service/latency";
import type { EngineName } from "../service/offer";
import { addSavings, NOTHING_SAVED, type Savings } from "../service/savings";
import { histogram, quantiles } from "../worker/quantiles";
import { byId, make, makeTable } from "./dom";
import { totalWords } from "./savings-words";
import { counted, timeWords } from "./words";

const PART_LABELS: Record<Part | "total", string> = {
  readout: "Sensor readout",
  compute: "Compute",
  rest: "Rest of the round trip",
  total: "Start to decision",
};
/** What there is to tell of an engine: in the page, compute alone. */
const SHOWN: Record<EngineName, readonly (Part | "total")[]> = { service: [...PARTS, "total"], page: ["compute"] };
const SUMMARY: Record<EngineName, { part: Part | "total"; words: string }> = {
  service: { part: "total", words: "from start to decision" },
  page: { part: "compute", words: "of compute a burst" },
};
const BAR_WIDTH = 240;
const BAR_HEIGHT = 56;
const SVG = "http://www.w3.org/2000/svg";

export class Meters {
  private total: Savings = NOTHING_SAVED;
  private readonly log = new LatencyLog();
  private drawDue = 0;

  constructor(private readonly engine: EngineName) {
    byId("reset-totals").onclick = () => {
      this.total = NOTHING_SAVED;
      this.log.clear();
      this.show();
      this.drawLatency();
    };
    byId<HTMLDetailsElement>("latency").ontoggle = () => this.drawLatency();
    this.drawLatency();
  }

  /** Adds a streamed frame to the total; `show` shows it. */
  count(saved: Savings): void {
    this.total = addSavings(this.total, saved);
  }

  addLatency(latency: Latency): void {
    this.log.add(latency);
    if (this.drawDue === 0) this.drawDue = window.setTimeout(() => this.drawLatency(), 250);
  }

  show(): void {
    byId("totals").textContent = totalWords(this.total);
    byId<HTMLButtonElement>("reset-totals").hidden = this.total.frames === 0;
  }

  private drawLatency(): void {
    this.drawDue = 0;
    const { part: summed, words } = SUMMARY[this.engine];
    const shown = SHOWN[this.engine];
    const { p50, count } = quantiles(this.log.values(summed));
    byId("latency-summary").textContent =
      count === 0 ? "no frame yet" : `median ${timeWords(p50)} ${words}, ${counted(count, "frame")}`;
    if (!byId<HTMLDetailsElement>("latency").open) return;
    const figures = shown.map((part) => {
      const values = this.log.values(part);
      const { p50: median, p95, p99 } = quantiles(values);
      const caption = make("figcaption", {}, PART_LABELS[part]);
      return make("figure", { class: "histogram" }, caption, bars(values, [median, p95, p99]));
    });
    byId("histograms").replaceChildren(...figures);
    const rows = shown.map((part) => {
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
