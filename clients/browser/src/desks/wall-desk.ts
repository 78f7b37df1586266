/** Many sensors at once: a wall of frames, each over a socket of its own from one worker. */

import { aspectOf, type Frame } from "rascanet-stream";
import { policyOf, shownLineTimeMs, windowOf } from "../service/settings";
import { byId, make } from "../view/dom";
import { FrameView } from "../view/frame-view";
import { headline, tell, tellFault } from "../view/notice";
import { counted, percent, probabilityWords } from "../view/words";
import type { Report, Tile, WallTotals } from "../worker/messages";
import type { Controls } from "./controls";
import type { Engine, Running } from "./engine";
import type { Picture } from "./pictures";

interface WallView {
  view: FrameView;
  item: HTMLElement;
  screen: HTMLElement;
  words: HTMLElement;
  counts: HTMLElement;
  /** Which of the frames it shows. */
  frame: number;
}

const MAX_FRAMES = 64;
const LEAST_TILE_PX = 92;

export class WallDesk {
  private readonly grid = byId("wall-grid");
  private running: Running | null = null;
  private opening = 0;
  private frames: Frame[] = [];
  private views: WallView[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly controls: Controls,
    private readonly onChange: () => void,
  ) {}

  get active(): boolean {
    return this.running !== null || this.opening > 0;
  }

  stop(): void {
    this.opening = 0;
    this.running?.stop();
    this.running = null;
    this.onChange();
  }

  /** Begins the wall with these pictures, over and over. */
  async begin(pictures: readonly Picture[]): Promise<void> {
    this.stop();
    const { settings, model } = this.controls;
    const opening = Date.now() + Math.random();
    this.opening = opening;
    this.onChange();
    headline("Opening the wall …", "reading");
    const frames = await Promise.all(pictures.slice(0, MAX_FRAMES).map((picture) => this.expose(picture)));
    if (this.opening !== opening) return;
    this.opening = 0;
    this.frames = frames.filter((frame) => frame !== null);
    if (this.frames.length === 0) {
      this.onChange();
      headline("No pictures", "none");
      tell("There is no picture to show on the wall. Drop some here.", "fault");
      return;
    }
    this.build(settings.tiles);
    tell(settings.tiles === 1 ? "It has a stream of its own." : "Each has a stream of its own.");
    this.running = this.engine.begin(
      {
        kind: "wall",
        variant: model.variant,
        policy: policyOf(settings.policy, settings.parameters),
        frames: this.frames,
        tiles: settings.tiles,
        lineTimeMs: shownLineTimeMs(settings),
      },
      (report) => this.hear(report, pictures),
    );
    this.onChange();
  }

  layOut(): void {
    const { height, width } = this.controls.model;
    const most = Math.max(2, Math.floor(this.grid.clientWidth / LEAST_TILE_PX));
    this.grid.style.setProperty("--columns", String(Math.min(most, Math.ceil(Math.sqrt(this.views.length)))));
    for (const { view, screen } of this.views) {
      screen.style.height = `${(screen.clientWidth * height) / width}px`; // whatever picture it shows
      this.fit(view, screen);
    }
  }

  /** A picture in its own shape. */
  private fit(view: FrameView, screen: HTMLElement, frame = this.frames[0]): void {
    const { height, width } = this.controls.model;
    view.fit(screen.clientWidth, width, height, frame ? aspectOf(frame) : width / height);
  }

  private expose(picture: Picture): Promise<Frame | null> {
    const { variant, height, width } = this.controls.model;
    const window = windowOf(this.controls.settings);
    return new Promise((resolve) => {
      picture.open().then(
        (file) =>
          this.engine.begin({ kind: "expose", file, label: picture.name, variant, height, width, window }, (report) => {
            if (report.kind === "exposed") resolve(report.frame);
            else if (report.kind === "fault") resolve(null);
          }),
        () => resolve(null),
      );
    });
  }

  private build(tiles: number): void {
    this.views = Array.from({ length: tiles }, (_, index) => {
      const canvas = make("canvas", { role: "img", "aria-label": `Sensor ${index + 1}` });
      const words = make("span", { class: "tile-words" }, "–");
      const counts = make("span", { class: "tile-words tile-counts" });
      const screen = make("div", { class: "tile-screen" }, canvas);
      const item = make("li", { class: "wall-tile" }, screen, words, counts);
      return { view: new FrameView(canvas), item, screen, words, counts, frame: -1 };
    });
    this.grid.replaceChildren(...this.views.map(({ item }) => item));
    this.layOut();
  }

  private hear(report: Report, pictures: readonly Picture[]): void {
    if (report.kind === "wall") this.show(report.tiles, report.totals);
    if (report.kind === "fault") {
      this.stop();
      headline("Stopped", "none");
      tellFault(report, () => void this.begin(pictures));
    }
  }

  private show(tiles: Tile[], totals: WallTotals): void {
    const { height, width, burst_rows: burstRows } = this.controls.model;
    for (const [index, tile] of tiles.entries()) {
      const shown = this.views[index];
      if (!shown) continue;
      const { view, item, screen, words, counts } = shown;
      if (shown.frame !== tile.frame) {
        shown.frame = tile.frame;
        this.fit(view, screen, this.frames[tile.frame]);
      }
      view.show({
        height,
        width,
        burstRows,
        frame: this.frames[tile.frame] ?? null,
        rows: tile.rows,
        skipped: new Set(tile.skipped),
        reading: !tile.decided,
        stop: tile.exited ? { row: tile.rows, p_person: null, exited: true } : null,
      });
      item.dataset.state = stateOf(tile);
      words.textContent = tileWords(tile);
      counts.textContent = `${tile.framesPerSecond.toFixed(1)}/s · ${tile.exits}/${tile.frames} exits`;
      view.canvas.setAttribute("aria-label", `Sensor ${index + 1}: ${tileWords(tile)}`);
    }
    const { frames, persons, exits, bursts, processed, framesPerSecond } = totals;
    // The headline is a live region, so what changes all the time stands below it.
    headline(counted(tiles.length, "sensor"), "none");
    const work = bursts > 0 ? `, ${percent(processed / bursts)} of the bursts computed` : "";
    byId("wall-totals").textContent =
      `${framesPerSecond.toFixed(1)} frames a second${this.controls.settings.slow > 1 ? ` (${this.controls.settings.slow} × slow motion)` : ""}. ` +
      `${counted(frames, "frame")}, ${persons} with a person, ${counted(exits, "exit")}${work}.`;
    byId("wall-totals").dataset.frames = String(frames);
  }
}

function stateOf(tile: Tile): "lost" | "reading" | "person" | "no-person" {
  if (tile.reconnecting) return "lost";
  if (!tile.decided) return "reading";
  return tile.person ? "person" : "no-person";
}

/** What a sensor's frame has come to, in a few words: a tile is narrow. */
function tileWords(tile: Tile): string {
  if (tile.reconnecting) return "Reconnecting";
  const p = tile.p_person === null ? "" : ` ${probabilityWords(tile.p_person)}`;
  if (!tile.decided) return `Reading${p}`;
  return `${tile.person ? "Person" : "No person"}${p} · ${tile.exited ? `row ${tile.rows}` : "to the end"}`;
}
