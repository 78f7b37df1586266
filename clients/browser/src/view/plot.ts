/**
 * P(person) and confidence over the rows, with the thresholds as lines that can be moved.
 *
 * Where there is room the plot stands beside the frame and its row axis runs downwards, so that each point is level
 * with the rows it comes from; on a narrow screen it lies below, rows from left to right.
 */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { ExitLine, LineKind, Point } from "rascanet-stream";
import { type OnThreshold, ThresholdHandle } from "./threshold-handle";

export interface PlotPicture {
  frameRows: number;
  burstRows: number;
  points: readonly Point[];
  /** What the network would have thought, had the scan gone on. */
  beyond: readonly Point[];
  lines: readonly ExitLine[];
}

export interface PlotPlace {
  beside: boolean;
  width: number;
  /** Of the plotting area. */
  height: number;
}

const AXIS_PX = 28;
const ROW_AXIS_PX = 34;
const TITLE_PX = 18;
const LEAST_GAP = 0.001;
const KINDS: readonly LineKind[] = ["exit", "empty", "skip"];

export class ProbabilityPlot {
  private chart: uPlot | null = null;
  private place: PlotPlace | null = null;
  private picture: PlotPicture = { frameRows: 105, burstRows: 5, points: [], beyond: [], lines: [] };
  private readonly handles: Record<LineKind, ThresholdHandle>;

  /** `onPoint`: another point is under the pointer, or came. */
  constructor(
    private readonly parent: HTMLElement,
    private readonly onPoint: () => void,
    onThreshold: OnThreshold,
  ) {
    const handle = (kind: LineKind) => new ThresholdHandle(kind, (event) => this.valueAt(event), onThreshold);
    this.handles = { exit: handle("exit"), empty: handle("empty"), skip: handle("skip") };
  }

  show(picture: PlotPicture): void {
    this.picture = picture;
    this.chart?.setData(this.data());
    this.placeHandles();
  }

  /** Lays the plot out, unless it stands so already: whoever holds a threshold must not lose it. */
  build(place: PlotPlace, anew: boolean): void {
    const known = this.place;
    const same = known?.beside === place.beside && known.width === place.width && known.height === place.height;
    if (same && !anew) return;
    this.place = place;
    this.chart?.destroy();
    this.chart = new uPlot(this.options(place), this.data(), this.parent);
    this.chart.over.append(...KINDS.map((kind) => this.handles[kind].element));
    this.placeHandles();
  }

  get canvas(): HTMLCanvasElement | undefined {
    return this.chart?.ctx.canvas;
  }

  private data(): uPlot.AlignedData {
    const { points, beyond, burstRows } = this.picture;
    const last = points.at(-1);
    const rest = beyond.filter(({ burst }) => last === undefined || burst > last.burst);
    const rows = (point: Point) => (point.burst + 1) * burstRows;
    const all = [...points, ...rest];
    return [
      all.map(rows),
      all.map((point, index) => (index < points.length ? point.p_person : null)),
      all.map((point, index) => (index < points.length ? point.confidence : null)),
      all.map((point, index) => (index >= points.length - 1 && rest.length > 0 ? point.p_person : null)),
    ];
  }

  /** The point under the pointer, or the latest one. */
  get point(): Point | undefined {
    const { points } = this.picture;
    return points[this.chart?.cursor.idx ?? points.length - 1] ?? points.at(-1);
  }

  get lastBurst(): number | undefined {
    return this.picture.points.at(-1)?.burst;
  }

  private valueAt(event: PointerEvent): number {
    if (this.chart === null || this.place === null) return 0;
    const box = this.chart.over.getBoundingClientRect();
    const at = this.place.beside ? event.clientX - box.left : event.clientY - box.top;
    return this.chart.posToVal(at, "y");
  }

  /** A line of one parameter can be taken hold of; one that falls over the rows only shows. */
  private placeHandles(): void {
    const { lines } = this.picture;
    const height = (kinds: LineKind[]) => lines.find((line) => line.parameter && kinds.includes(line.kind))?.at(0);
    const [upper, lower] = [height(["exit"]), height(["empty", "skip"])];
    for (const kind of KINDS) {
      const line = lines.find((one) => one.kind === kind && one.parameter !== null);
      const { element } = this.handles[kind];
      element.hidden = line === undefined;
      if (!line?.parameter || this.chart === null || this.place === null) continue;
      const low = kind === "exit" && lower !== undefined ? lower + LEAST_GAP : 0;
      const high = kind !== "exit" && upper !== undefined ? upper - LEAST_GAP : 1;
      this.handles[kind].set(line.parameter, line.at(0), low, high);
      element.classList.toggle("threshold-upright", this.place.beside);
      element.setAttribute("aria-orientation", this.place.beside ? "horizontal" : "vertical");
      const at = `${this.chart.valToPos(line.at(0), "y")}px`;
      element.style.left = this.place.beside ? at : "0";
      element.style.top = this.place.beside ? "0" : at;
    }
  }

  private options(place: PlotPlace): uPlot.Options {
    const colours = getComputedStyle(this.parent);
    const colour = (name: string) => colours.getPropertyValue(name).trim();
    const font = `12px ${colours.fontFamily}`;
    const title = { labelFont: font, labelSize: TITLE_PX, labelGap: 2 };
    const axis = { stroke: colour("--muted"), font, ticks: { show: false }, gap: 4, ...title };
    // Beside the frame the label of row 0 would be cut off at the top.
    const rowLabels = (_chart: uPlot, splits: number[]) =>
      splits.map((row) => (row === 0 && place.beside ? "" : `${row}`));
    const grid = { stroke: colour("--grid"), width: 1 };
    return {
      width: place.width,
      height: place.height + AXIS_PX + TITLE_PX,
      padding: place.beside ? [0, 14, 0, 0] : [8, 14, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false, setScale: false }, points: { size: 8 } },
      scales: {
        x: {
          time: false,
          ori: place.beside ? 1 : 0,
          dir: place.beside ? -1 : 1,
          range: () => [0, this.picture.frameRows],
        },
        y: { ori: place.beside ? 0 : 1, range: [-0.02, 1.02] },
      },
      axes: [
        {
          ...axis,
          label: "row",
          side: place.beside ? 3 : 2,
          size: place.beside ? ROW_AXIS_PX : AXIS_PX,
          grid,
          space: 44,
          values: rowLabels,
        },
        {
          ...axis,
          label: "P(person)",
          scale: "y",
          side: place.beside ? 2 : 3,
          size: place.beside ? AXIS_PX : ROW_AXIS_PX,
          grid,
          splits: [0, 0.25, 0.5, 0.75, 1],
          values: (_chart, splits) => splits.map((value) => (value % 0.5 === 0 ? `${value}` : "")),
        },
      ],
      series: [
        {},
        {
          scale: "y",
          stroke: colour("--p"),
          width: 2.5,
          spanGaps: true,
          points: { show: true, size: 5, fill: colour("--p") },
        },
        { scale: "y", stroke: colour("--confidence"), width: 1.5, spanGaps: true, points: { show: false } },
        { scale: "y", stroke: colour("--p"), width: 1.25, dash: [3, 4], spanGaps: true, points: { show: false } },
      ],
      hooks: {
        drawClear: [(chart) => this.drawLines(chart, colour)],
        setCursor: [() => this.onPoint()],
      },
    };
  }

  /** Each line from the frame's first row to its last, as far as it lies in the plot. */
  private drawLines(chart: uPlot, colour: (name: string) => string): void {
    const { ctx, bbox } = chart;
    const { lines, frameRows } = this.picture;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    const place = (row: number, value: number): [number, number] => {
      const [along, across] = [chart.valToPos(row, "x", true), chart.valToPos(value, "y", true)];
      return this.place?.beside ? [across, along] : [along, across];
    };
    for (const line of lines) {
      ctx.strokeStyle = colour(line.kind === "exit" ? "--exit" : "--skip");
      ctx.beginPath();
      ctx.moveTo(...place(0, line.at(0)));
      ctx.lineTo(...place(frameRows, line.at(1)));
      ctx.stroke();
    }
    ctx.restore();
  }
}
