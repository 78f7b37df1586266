/**
 * P(person) and confidence over the rows.
 *
 * Where there is room the plot stands beside the frame and its row axis runs downwards, so that each point is level
 * with the rows it comes from; on a narrow screen it lies below, rows from left to right.
 */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Thresholds {
  exit?: number;
  skip?: number;
}

export interface PlotPlace {
  beside: boolean;
  width: number;
  /** Of the plotting area when beside the frame, of everything otherwise. */
  height: number;
}

const AXIS_PX = 34;
const ROW_AXIS_PX = 38;
const BELOW_HEIGHT_PX = 210;

export class ProbabilityPlot {
  private chart: uPlot | null = null;
  private rows: number[] = [];
  private probabilities: number[] = [];
  private confidences: number[] = [];
  private frameRows = 105;
  private thresholds: Thresholds = {};
  private place: PlotPlace | null = null;

  /** `onPoint` hears the values under the pointer, or the latest ones. */
  constructor(
    private readonly parent: HTMLElement,
    private readonly onPoint: (p_person: number | null, confidence: number | null) => void,
  ) {}

  clear(frameRows: number): void {
    this.frameRows = frameRows;
    this.rows = [];
    this.probabilities = [];
    this.confidences = [];
    this.chart?.setData(this.data());
    this.tell();
  }

  mark(thresholds: Thresholds): void {
    this.thresholds = thresholds;
    this.chart?.redraw();
  }

  add(row: number, p_person: number, confidence: number): void {
    this.rows.push(row);
    this.probabilities.push(p_person);
    this.confidences.push(confidence);
    this.chart?.setData(this.data());
    this.tell();
  }

  /** Lays the plot out anew, also when the colour scheme has changed. */
  build(place: PlotPlace): void {
    this.place = place;
    this.chart?.destroy();
    this.chart = new uPlot(this.options(place), this.data(), this.parent);
  }

  rebuild(): void {
    if (this.place !== null) this.build(this.place);
  }

  private data(): uPlot.AlignedData {
    return [this.rows, this.probabilities, this.confidences];
  }

  private tell(): void {
    const index = this.chart?.cursor.idx ?? this.rows.length - 1;
    this.onPoint(this.probabilities[index] ?? null, this.confidences[index] ?? null);
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
      height: place.beside ? place.height + AXIS_PX : BELOW_HEIGHT_PX,
      padding: place.beside ? [0, 14, 0, 0] : [8, 14, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false, setScale: false }, points: { size: 8 } },
      scales: {
        x: {
          time: false,
          ori: place.beside ? 1 : 0,
          dir: place.beside ? -1 : 1,
          range: () => [0, this.frameRows],
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
        { scale: "y", stroke: colour("--p"), width: 2.5, points: { show: true, size: 5, fill: colour("--p") } },
        { scale: "y", stroke: colour("--confidence"), width: 1.5, points: { show: false } },
      ],
      hooks: {
        drawClear: [(chart) => this.drawThresholds(chart, colour)],
        setCursor: [() => this.tell()],
      },
    };
  }

  private drawThresholds(chart: uPlot, colour: (name: string) => string): void {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const [value, name] of [
      [this.thresholds.exit, "--exit"],
      [this.thresholds.skip, "--skip"],
    ] as const) {
      if (value === undefined) continue;
      const at = chart.valToPos(value, "y", true);
      ctx.strokeStyle = colour(name);
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
