/** One policy's view of a frame: the frame as far as it was read, the curve, the decision in words, the data. */

import {
  aspectOf,
  burstsOf,
  type Curve,
  type ExitLine,
  emptyCurve,
  type Frame,
  type Point,
  type Verdict,
  verdictRows,
} from "rascanet-stream";
import { make, makeTable } from "./dom";
import { FrameView } from "./frame-view";
import { type LegendEntry, legendOf } from "./legend";
import { ProbabilityPlot } from "./plot";
import type { OnThreshold } from "./threshold-handle";
import { aspectWords, decisionWords } from "./words";

/** What the network would have thought after the decision, and whether a frame without skips says so. */
export interface Beyond {
  points: readonly Point[];
  whole: boolean;
}

export const NOTHING_BEYOND: Beyond = { points: [], whole: false };

export interface PanelPicture {
  height: number;
  width: number;
  frame: Frame | null;
  curve: Curve;
  /** Rows to show; the curve beyond is not shown yet. */
  rows: number;
  reading: boolean;
  verdict: Verdict | null;
  beyond: Beyond;
  lines: readonly ExitLine[];
}

/** Of the panel's width, at most, where the plot stands beside the frame. */
const FRAME_SHARE = 0.62;
const PLOT_BELOW_PX = 170;

export class Panel {
  readonly element: HTMLElement;
  readonly view: FrameView;
  readonly plot: ProbabilityPlot;
  private readonly title = make("h2", { class: "panel-title" });
  private readonly words = make("p", { class: "panel-words" });
  private readonly screen = make("div", { class: "screen" });
  private readonly squashed = make("p", { class: "hint squashed" });
  private readonly instruments = make("div", { class: "instruments" });
  private readonly plotBox = make("div", { class: "plot" });
  private readonly legendList = make("ul", { class: "legend legend-plot", "aria-label": "Lines of the plot" });
  private readonly table = make("div", { class: "table-box", tabindex: 0, role: "region" });
  private readonly data: HTMLDetailsElement;
  private picture: PanelPicture = {
    height: 105,
    width: 120,
    frame: null,
    curve: emptyCurve(21, 5),
    rows: 0,
    reading: false,
    verdict: null,
    beyond: NOTHING_BEYOND,
    lines: [],
  };
  private aspect = 0;
  private shownLegend = "";
  private tableDue = 0;

  constructor(id: string, onThreshold: OnThreshold) {
    const canvas = make("canvas", { id: `${id}-frame`, class: "frame", role: "img", "aria-label": "Nothing read yet" });
    this.view = new FrameView(canvas);
    this.screen.append(canvas);
    this.data = make("details", { class: "data" }, make("summary", {}, "The curve as a table"), this.table);
    this.data.ontoggle = () => this.fillTable();
    const mark = (swatch: string, words: string) =>
      make("li", {}, make("span", { class: `swatch swatch-${swatch}` }), words);
    this.instruments.append(
      make(
        "figure",
        { class: "instrument instrument-frame" },
        make("figcaption", {}, "The frame, as far as it was read"),
        this.screen,
        make(
          "ul",
          { class: "legend", "aria-label": "Marks in the frame" },
          mark("unread", "not needed"),
          mark("skipped", "skipped"),
          mark("stop", "where it stopped"),
        ),
        this.squashed,
      ),
      make(
        "figure",
        { class: "instrument instrument-plot" },
        make("figcaption", {}, "The network’s answer, row by row"),
        this.plotBox,
        this.legendList,
      ),
    );
    this.element = make(
      "article",
      { class: "panel", id },
      make("header", { class: "panel-head" }, this.title, this.words),
      this.instruments,
      this.data,
    );
    this.plot = new ProbabilityPlot(this.plotBox, () => this.showLegend(), onThreshold);
  }

  name(title: string): void {
    this.title.textContent = title;
    this.table.setAttribute("aria-label", `Table of the curve, ${title}`);
  }

  show(picture: PanelPicture): void {
    this.picture = picture;
    const { curve, rows, verdict, lines, height, width, frame } = picture;
    const { burstRows } = curve;
    const { decided } = this;
    const aspect = frame ? aspectOf(frame) : width / height;
    if (aspect !== this.aspect) {
      this.aspect = aspect;
      this.squashed.textContent = aspectWords(aspect, width, height);
      this.layOut();
    }
    const points = curve.points.filter(({ burst }) => (burst + 1) * burstRows <= rows + 1e-6);
    this.view.show({
      height,
      width,
      burstRows,
      frame,
      rows: decided && verdict ? verdictRows(curve, verdict) : rows,
      skipped: new Set(curve.skipped),
      reading: picture.reading && !decided,
      stop:
        decided && verdict
          ? { row: verdictRows(curve, verdict), p_person: verdict.p_person, exited: verdict.exited }
          : null,
    });
    this.plot.show({ frameRows: height, burstRows, points, beyond: decided ? picture.beyond.points : [], lines });
    this.showLegend();
    const words = decided && verdict ? decisionWords(curve, verdict) : picture.reading ? "Reading …" : "";
    if (this.words.textContent !== words) this.words.textContent = words;
    this.element.dataset.verdict = decided ? (verdict?.person ? "person" : "no-person") : "none";
    const read = decided && verdict ? verdictRows(curve, verdict) : Math.floor(rows);
    this.view.canvas.setAttribute(
      "aria-label",
      `The frame, read to row ${read} of ${height}.${decided && verdict ? ` ${decisionWords(curve, verdict)}.` : ""}`,
    );
    if (this.data.open && this.tableDue === 0) this.tableDue = window.setTimeout(() => this.fillTable(), 200);
  }

  /** The legend as it stands, with the values under the pointer or the latest ones. */
  get legend(): LegendEntry[] {
    const { lines, beyond } = this.picture;
    const { point } = this.plot;
    const last = this.decided ? beyond.points.at(-1) : undefined;
    const on = last && last.burst > (this.plot.lastBurst ?? 0) ? last.p_person : null;
    return legendOf(lines, point, on, beyond.whole);
  }

  /** Whose view it is, and what came of the frame. */
  get caption(): { policy: string; decision: string } {
    return { policy: this.title.textContent ?? "", decision: this.words.textContent ?? "" };
  }

  private get decided(): boolean {
    const { curve, rows, verdict } = this.picture;
    return verdict !== null && rows >= verdictRows(curve, verdict);
  }

  private showLegend(): void {
    const { legend } = this;
    const shown = JSON.stringify(legend);
    if (shown === this.shownLegend) return;
    this.shownLegend = shown;
    this.legendList.replaceChildren(
      ...legend.map(({ swatch, words, value }) =>
        make(
          "li",
          { class: `legend-${swatch}` },
          make("span", { class: `swatch swatch-${swatch}` }),
          `${words} `,
          make("span", { class: "legend-value" }, value),
        ),
      ),
    );
  }

  /** Fits frame and plot into the room there is; `anew`: also where that is the same, for other colours. */
  layOut(anew = false): void {
    if (this.element.offsetParent === null) return;
    const beside = getComputedStyle(this.element).getPropertyValue("--plot-beside").trim() === "1";
    const { width, height } = this.picture;
    const room = this.instruments.clientWidth * (beside ? FRAME_SHARE : 1);
    const size = this.view.fit(room, width, height, this.aspect);
    const plotHeight = beside ? size.height : PLOT_BELOW_PX;
    this.plot.build({ beside, width: this.plotBox.clientWidth, height: plotHeight }, anew);
    this.show(this.picture);
  }

  private fillTable(): void {
    this.tableDue = 0;
    if (!this.data.open) return;
    const { curve } = this.picture;
    const rows = burstsOf(curve).map(({ burst, rows, state, point }) => {
      return [burst + 1, rows, state, point?.p_person.toFixed(4) ?? "", point?.confidence.toFixed(4) ?? ""];
    });
    this.table.replaceChildren(
      makeTable(this.title.textContent ?? "", ["burst", "rows", "state", "P(person)", "confidence"], rows),
    );
  }
}
