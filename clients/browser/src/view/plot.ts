/**
 * P(person) and confidence over the rows, with the thresholds as lines that can be moved.
 *
 * Where there is room the plot stands beside the frame and its row axis runs downwards, so that each point is level
 * with the rows it comes from; on a narrow screen it lies below, rows from left to right.
 */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Point } from "../worker/curve";
import { type OnThreshold, ThresholdHandle, type ThresholdName } from "./threshold-handle";

export type Thresholds = Partial<Record<ThresholdName, number>>;

export interface PlotPicture {
  frameRows: number;
  burstRows: number;
  points: readonly Point[];
  /** What the network would have thought, had the scan gone on. */
  beyond: readonly Point[];
  thresholds: Thresholds;
}

export interface PlotPlace {
  beside: boolean;
  width: number;
  /** Of the plotting area. */
  height: number;
}

const AXIS_PX = 34;
const ROW_AXIS_PX = 38;
const LEAST_GAP = 0.001;

export class ProbabilityPlot {
  private chart: uPlot | null = null;
  private place: PlotPlace | null = null;
  private picture: PlotPicture = { frameRows: 105, burstRows: 5, points: [], beyond: [], thresholds: {} };
  private readonly handles: Record<ThresholdName, ThresholdHandle>;

  /** `onPoint` hears the values under the pointer, or the latest ones. */
  constructor(
    private readonly parent: HTMLElement,
    private readonly onPoint: (p_person: number | null, confidence: number | null) => void,
    onThreshold: OnThreshold,
  ) {
    const handle = (name: ThresholdName) => new ThresholdHandle(name, (event) => this.valueAt(event), onThreshold);
    this.handles = { exit: handle("exit"), skip: handle("skip") };
  }

  show(picture: PlotPicture): void {
    this.picture = picture;
    this.chart?.setData(this.data());
    this.placeHandles();
    this.tell();
  }

  /** Lays the plot out, unless it stands so already: whoever holds a threshold must not lose it. */
  build(place: PlotPlace, anew: boolean): void {
    const known = this.place;
    const same = known?.beside === place.beside && known.width === place.width && known.height === place.height;
    if (same && !anew) return;
    this.place = place;
    this.chart?.destroy();
    this.chart = new uPlot(this.options(place), this.data(), this.parent);
    this.chart.over.append(this.handles.exit.element, this.handles.skip.element);
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

  private tell(): void {
    const { points } = this.picture;
    const point = points[this.chart?.cursor.idx ?? points.length - 1] ?? points.at(-1);
    this.onPoint(point?.p_person ?? null, point?.confidence ?? null);
  }

  private valueAt(event: PointerEvent): number {
    if (this.chart === null || this.place === null) return 0;
    const box = this.chart.over.getBoundingClientRect();
    const at = this.place.beside ? event.clientX - box.left : event.clientY - box.top;
    return this.chart.posToVal(at, "y");
  }

  private placeHandles(): void {
    const { exit, skip } = this.picture.thresholds;
    for (const [name, value] of [
      ["exit", exit],
      ["skip", skip],
    ] as const) {
      const { element } = this.handles[name];
      element.hidden = value === undefined;
      if (value === undefined || this.chart === null || this.place === null) continue;
      const bounds: [number, number] =
        name === "exit" ? [(skip ?? 0 - LEAST_GAP) + LEAST_GAP, 1] : [0, (exit ?? 1 + LEAST_GAP) - LEAST_GAP];
      this.handles[name].set(value, ...bounds);
      element.classList.toggle("threshold-upright", this.place.beside);
      element.setAttribute("aria-orientation", this.place.beside ? "horizontal" : "vertical");
      const at = `${this.chart.valToPos(value, "y")}px`;
      element.style.left = this.place.beside ? at : "0";
      element.style.top = this.place.beside ? "0" : at;
    }
  }

  private options(place: PlotPlace): uPlot.Options {
    const colours = getComputedStyle(this.parent);
    const colour = (name: string) => colours.getPropertyValue(name).trim();
    const font = `12px ${colours.fontFamily}`;
    const axis = { stroke: colour("--muted"), font, labelFont: font, ticks: { show: false } };
    // Beside the frame the label of row 0 would be cut off at the top.
    const rowLabels = (_chart: uPlot, splits: number[]) =>
      splits.map((row) => (row === 0 && place.beside ? "" : `${row}`));
    const grid = { stroke: colour("--grid"), width: 1 };
    return {
      width: place.width,
      height: place.height + AXIS_PX,
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
          side: place.beside ? 3 : 2,
          size: place.beside ? ROW_AXIS_PX : AXIS_PX,
          grid,
          space: 44,
          values: rowLabels,
        },
        {
          ...axis,
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
        drawClear: [(chart) => this.drawThresholds(chart, colour)],
        setCursor: [() => this.tell()],
      },
    };
  }

  private drawThresholds(chart: uPlot, colour: (name: string) => string): void {
    const { ctx, bbox } = chart;
    const { thresholds } = this.picture;
    ctx.save();
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const name of ["exit", "skip"] as const) {
      const value = thresholds[name];
      if (value === undefined) continue;
      const at = chart.valToPos(value, "y", true);
      ctx.strokeStyle = colour(`--${name}`);
      ctx.beginPath();
      if (this.place?.beside) {
        ctx.moveTo(at, bbox.top);
        ctx.lineTo(at, bbox.top + bbox.height);
      } else {
        ctx.moveTo(bbox.left, at);
        ctx.lineTo(bbox.left + bbox.width, at);
      }
      ctx.stroke();
    }
    ctx.restore();
  }
}
