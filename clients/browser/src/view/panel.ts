/** One policy's view of a frame: the frame as far as it was read, the curve, the decision in words, the data. */

import { burstsOf, type Curve, emptyCurve, type Point, type Verdict, verdictRows } from "../worker/curve";
import type { Frame } from "../worker/frame";
import { make, makeTable } from "./dom";
import { FrameView } from "./frame-view";
import { ProbabilityPlot, type Thresholds } from "./plot";
import type { OnThreshold } from "./threshold-handle";
import { decisionWords, probabilityWords } from "./words";

export interface PanelPicture {
  height: number;
  width: number;
  frame: Frame | null;
  curve: Curve;
  /** Rows to show; the curve beyond is not shown yet. */
  rows: number;
  reading: boolean;
  verdict: Verdict | null;
  beyond: readonly Point[];
  thresholds: Thresholds;
}

/** Of the panel's width, at most, where the plot stands beside the frame. */
const FRAME_SHARE = 0.62;

export class Panel {
  readonly element: HTMLElement;
  readonly view: FrameView;
  readonly plot: ProbabilityPlot;
  private readonly title = make("h2", { class: "panel-title" });
  private readonly words = make("p", { class: "panel-words" });
  private readonly screen = make("div", { class: "screen" });
  private readonly instruments = make("div", { class: "instruments" });
  private readonly plotBox = make("div", { class: "plot" });
  private readonly legend: Record<"p" | "confidence" | "beyond" | "exit" | "skip", HTMLElement>;
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
    beyond: [],
    thresholds: {},
  };
  private tableDue = 0;

  constructor(id: string, onThreshold: OnThreshold) {
    const canvas = make("canvas", { id: `${id}-frame`, class: "frame", role: "img", "aria-label": "Nothing read yet" });
    this.view = new FrameView(canvas);
    this.screen.append(canvas);
    const value = () => make("span", { class: "legend-value" }, "–");
    this.legend = { p: value(), confidence: value(), beyond: value(), exit: value(), skip: value() };
    const entry = (swatch: string, words: string, output: HTMLElement) =>
      make("li", { class: `legend-${swatch}` }, make("span", { class: `swatch swatch-${swatch}` }), words, " ", output);
    this.data = make("details", { class: "data" }, make("summary", {}, "The curve as a table"), this.table);
    this.data.ontoggle = () => this.fillTable();
    const plotFigure = make(
      "figure",
      { class: "instrument instrument-plot" },
      make("figcaption", {}, "What the network thought, row by row"),
      this.plotBox,
      make(
        "ul",
        { class: "legend legend-plot", "aria-label": "Lines of the plot" },
        entry("p", "P(person)", this.legend.p),
        entry("confidence", "confidence", this.legend.confidence),
        entry("beyond", "had it read on", this.legend.beyond),
        entry("exit", "exit", this.legend.exit),
        entry("skip", "skip", this.legend.skip),
      ),
    );
    this.element = make(
      "article",
      { class: "panel", id },
      make("header", { class: "panel-head" }, this.title, this.words),
      this.instruments,
      this.data,
    );
    const mark = (swatch: string, words: string) =>
      make("li", {}, make("span", { class: `swatch swatch-${swatch}` }), words);
    this.instruments.append(
      make(
        "figure",
        { class: "instrument" },
        make("figcaption", {}, "The frame, as far as it was read"),
        this.screen,
        make(
          "ul",
          { class: "legend", "aria-label": "Marks in the frame" },
          mark("unread", "not read"),
          mark("skipped", "skipped"),
          mark("stop", "where it stopped"),
        ),
      ),
      plotFigure,
    );
    this.plot = new ProbabilityPlot(
      this.plotBox,
      (p_person, confidence) => {
        this.legend.p.textContent = p_person === null ? "–" : probabilityWords(p_person);
        this.legend.confidence.textContent = confidence === null ? "–" : probabilityWords(confidence);
      },
      onThreshold,
    );
  }

  name(title: string): void {
    this.title.textContent = title;
    this.table.setAttribute("aria-label", `Table of the curve, ${title}`);
  }

  show(picture: PanelPicture): void {
    this.picture = picture;
    const { curve, rows, verdict, thresholds, height, width } = picture;
    const { burstRows } = curve;
    const decided = verdict !== null && rows >= verdictRows(curve, verdict);
    const points = curve.points.filter(({ burst }) => (burst + 1) * burstRows <= rows + 1e-6);
    this.view.show({
      height,
      width,
      burstRows,
      frame: picture.frame,
      rows: decided ? verdictRows(curve, verdict) : rows,
      skipped: new Set(curve.skipped),
      reading: picture.reading && !decided,
      stop: decided ? { row: verdictRows(curve, verdict), p_person: verdict.p_person, exited: verdict.exited } : null,
    });
    this.plot.show({ frameRows: height, burstRows, points, beyond: decided ? picture.beyond : [], thresholds });
    const last = decided ? picture.beyond.at(-1) : undefined;
    const beyond = last && last.burst > (points.at(-1)?.burst ?? 0) ? probabilityWords(last.p_person) : undefined;
    for (const [name, value] of Object.entries({ exit: thresholds.exit, skip: thresholds.skip, beyond })) {
      const output = this.legend[name as "exit" | "skip" | "beyond"];
      output.textContent = String(value ?? "");
      (output.closest("li") as HTMLElement).hidden = value === undefined;
    }
    const words = decided ? decisionWords(curve, verdict) : picture.reading ? "Reading …" : "";
    if (this.words.textContent !== words) this.words.textContent = words;
    this.element.dataset.verdict = decided ? (verdict.person ? "person" : "no-person") : "none";
    const read = decided ? verdictRows(curve, verdict) : Math.floor(rows);
    this.view.canvas.setAttribute(
      "aria-label",
      `The frame, read to row ${read} of ${height}.${decided ? ` ${decisionWords(curve, verdict)}.` : ""}`,
    );
    if (this.data.open && this.tableDue === 0) this.tableDue = window.setTimeout(() => this.fillTable(), 200);
  }

  /** Fits frame and plot into the room there is; `anew`: also where that is the same, for other colours. */
  layOut(anew = false): void {
    if (this.element.offsetParent === null) return;
    const beside = getComputedStyle(this.element).getPropertyValue("--plot-beside").trim() === "1";
    const { width, height } = this.picture;
    const room = this.instruments.clientWidth * (beside ? FRAME_SHARE : 1);
    const size = this.view.fit(room, width, height);
    this.plot.build({ beside, width: this.plotBox.clientWidth, height: beside ? size.height : 170 }, anew);
    this.show(this.picture);
  }

  private fillTable(): void {
    this.tableDue = 0;
    if (!this.data.open) return;
    const { curve } = this.picture;
    const rows = burstsOf(curve).map(({ burst, rows, state, point }) => {
      return [burst, rows, state, point?.p_person.toFixed(4) ?? "", point?.confidence.toFixed(4) ?? ""];
    });
    this.table.replaceChildren(
      makeTable(this.title.textContent ?? "", ["burst", "rows", "state", "P(person)", "confidence"], rows),
    );
  }
}
