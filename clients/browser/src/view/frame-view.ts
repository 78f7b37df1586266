/** The frame on its canvas: rows as they are read, hatching where nothing was, a line where the scan stopped. */

import { type Frame, rgbaOf } from "rascanet-stream";
import { probabilityWords } from "./words";

export interface FramePicture {
  height: number;
  width: number;
  burstRows: number;
  frame: Frame | null;
  /** Rows read so far. */
  rows: number;
  skipped: ReadonlySet<number>;
  reading: boolean;
  /** Where the scan stopped; without P(person) the line alone. */
  stop: { row: number; p_person: number | null; exited: boolean } | null;
}

export class FrameView {
  private painted: { frame: Frame; canvas: HTMLCanvasElement } | null = null;
  private picture: FramePicture | null = null;

  constructor(readonly canvas: HTMLCanvasElement) {}

  show(picture: FramePicture): void {
    this.picture = picture;
    this.draw();
  }

  /**
   * Fits the canvas into `available` CSS pixels at a width over height of `aspect`. Each of the frame's rows is a whole
   * number of the screen's pixels if it can be, and as high as in a picture that has the network's own aspect.
   */
  fit(available: number, width: number, height: number, aspect: number): { width: number; height: number } {
    const ratio = window.devicePixelRatio || 1;
    const room = (available * ratio) / width;
    const tall = Math.round(height * (room >= 2 ? Math.floor(room) : room));
    const wide = Math.min(Math.round(tall * aspect), Math.floor(available * ratio));
    this.canvas.width = Math.max(1, wide);
    this.canvas.height = Math.max(1, Math.min(tall, Math.round(wide / aspect)));
    const size = { width: this.canvas.width / ratio, height: this.canvas.height / ratio };
    this.canvas.style.width = `${size.width}px`;
    this.canvas.style.height = `${size.height}px`;
    this.draw();
    return size;
  }

  draw(): void {
    const context = this.canvas.getContext("2d");
    const { picture } = this;
    if (context === null || picture === null) return;
    const { width, height } = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    const scale = height / picture.height;
    const colours = getComputedStyle(this.canvas);
    context.fillStyle = hatching(context, colours, "unread", ratio);
    context.fillRect(0, 0, width, height);
    if (picture.frame !== null) this.drawRows(context, colours, scale, ratio, picture);
    if (picture.reading && picture.rows > 0) {
      context.fillStyle = colours.getPropertyValue("--stop");
      context.fillRect(0, Math.min(picture.rows * scale, height - 2 * ratio), width, 2 * ratio);
    }
    if (picture.stop !== null) drawStop(context, colours, picture.stop, scale, ratio);
  }

  private drawRows(
    context: CanvasRenderingContext2D,
    colours: CSSStyleDeclaration,
    scale: number,
    ratio: number,
    { frame, rows, burstRows, skipped, width }: FramePicture,
  ): void {
    const whole = Math.floor(rows);
    if (frame === null || whole <= 0) return;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.paint(frame), 0, 0, width, whole, 0, 0, this.canvas.width, whole * scale);
    context.fillStyle = hatching(context, colours, "skipped", ratio);
    for (const burst of skipped) {
      const first = burst * burstRows;
      if (first < rows) {
        context.fillRect(0, first * scale, this.canvas.width, Math.min(burstRows, rows - first) * scale);
      }
    }
  }

  private paint(frame: Frame): HTMLCanvasElement {
    if (this.painted?.frame !== frame) this.painted = { frame, canvas: paintFrame(frame) };
    return this.painted.canvas;
  }
}

function paintFrame(frame: Frame): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = frame.width;
  canvas.height = frame.height;
  canvas.getContext("2d")?.putImageData(new ImageData(rgbaOf(frame), frame.width, frame.height), 0, 0);
  return canvas;
}

/** The tiles of hatchings so far: two kinds in two colour schemes, at each resolution that a screen had. */
const hatchings = new Map<string, HTMLCanvasElement>();
const MOST_HATCHINGS = 16;

/** Diagonals for what was not read, dots for what was skipped: told apart without colour, too. */
function hatching(
  context: CanvasRenderingContext2D,
  colours: CSSStyleDeclaration,
  kind: "unread" | "skipped",
  ratio: number,
): CanvasPattern | string {
  const ground = colours.getPropertyValue(kind === "unread" ? "--hatch-ground" : "--skip-ground");
  const line = colours.getPropertyValue(kind === "unread" ? "--hatch-line" : "--skip-line");
  const key = `${kind} ${ground} ${line} ${ratio}`;
  let tile = hatchings.get(key);
  if (tile === undefined) {
    if (hatchings.size >= MOST_HATCHINGS) hatchings.clear();
    tile = hatchingTile(kind, ground, line, ratio);
    hatchings.set(key, tile);
  }
  return context.createPattern(tile, "repeat") ?? ground;
}

function hatchingTile(kind: "unread" | "skipped", ground: string, line: string, ratio: number): HTMLCanvasElement {
  const side = Math.round(8 * ratio);
  const tile = document.createElement("canvas");
  tile.width = side;
  tile.height = side;
  const brush = tile.getContext("2d");
  if (brush === null) return tile;
  brush.fillStyle = ground;
  brush.fillRect(0, 0, side, side);
  brush.strokeStyle = brush.fillStyle = line;
  brush.lineWidth = ratio;
  brush.beginPath();
  if (kind === "unread") {
    for (const shift of [-side, 0, side]) {
      brush.moveTo(shift - ratio, side + ratio);
      brush.lineTo(shift + side + ratio, -ratio);
    }
    brush.stroke();
  } else {
    brush.arc(side / 2, side / 2, 1.1 * ratio, 0, 2 * Math.PI);
    brush.fill();
  }
  return tile;
}

function drawStop(
  context: CanvasRenderingContext2D,
  colours: CSSStyleDeclaration,
  mark: NonNullable<FramePicture["stop"]>,
  scale: number,
  ratio: number,
): void {
  const { width, height } = context.canvas;
  const line = 3 * ratio;
  const y = Math.min(mark.row * scale, height - line / 2);
  context.fillStyle = colours.getPropertyValue("--stop");
  context.fillRect(0, y - line / 2, width, line);

  if (mark.p_person === null) return;
  const text = `${mark.exited ? "exit" : "end"} · P ${probabilityWords(mark.p_person)}`;
  context.font = `600 ${13 * ratio}px ${colours.fontFamily}`;
  const padding = 9 * ratio;
  const boxWidth = context.measureText(text).width + 2 * padding;
  const boxHeight = 26 * ratio;
  // Below the line, over what was not read, if there is room.
  const boxY = y + boxHeight + line < height ? y + line / 2 : y - line / 2 - boxHeight;
  context.fillRect(width - boxWidth, boxY, boxWidth, boxHeight);
  context.fillStyle = colours.getPropertyValue("--on-stop");
  context.textBaseline = "middle";
  context.fillText(text, width - boxWidth + padding, boxY + boxHeight / 2 + ratio / 2);
}
