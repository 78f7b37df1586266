/** The frame on its canvas: rows as they are read, hatching where nothing was, a line where the scan stopped. */

import { type Frame, rgbaFromRgb } from "./frame";
import { probabilityWords } from "./report";

type BurstState = "unread" | "read" | "skipped";

/** Where the readout ended, in rows from the top, and on which probability. */
interface StopMark {
  row: number;
  p_person: number;
}

export class FrameView {
  private pixels: HTMLCanvasElement | null = null;
  private bursts: BurstState[] = [];
  private burstRows = 1;
  private height = 105;
  private width = 120;
  /** Rows of the readout so far, also those of a burst not yet complete. */
  private cursor = 0;
  private stopMark: StopMark | null = null;
  private reading = false;

  constructor(private readonly canvas: HTMLCanvasElement) {}

  /** An empty frame of this size. */
  clear(height: number, width: number): void {
    this.pixels = null;
    this.bursts = [];
    this.height = height;
    this.width = width;
    this.cursor = 0;
    this.stopMark = null;
    this.reading = false;
  }

  begin(frame: Frame, burstRows: number): void {
    this.clear(frame.height, frame.width);
    this.pixels = paint(frame);
    this.burstRows = burstRows;
    this.bursts = new Array<BurstState>(frame.height / burstRows).fill("unread");
    this.reading = true;
  }

  /** The sensor has read so many rows; a burst shows row by row before it is complete. */
  readTo(row: number): void {
    this.cursor = Math.min(row, this.height);
  }

  markRead(burstIndex: number): void {
    if (this.bursts[burstIndex] !== "skipped") this.bursts[burstIndex] = "read";
    this.cursor = Math.max(this.cursor, (burstIndex + 1) * this.burstRows);
  }

  markSkipped(burstIndex: number): void {
    this.bursts[burstIndex] = "skipped";
  }

  end(mark: StopMark | null): void {
    this.stopMark = mark;
    this.reading = false;
    this.cursor = 0;
  }

  /** Fits the canvas into `available` CSS pixels, each of the frame's pixels a whole number of the screen's. */
  fit(available: number): { width: number; height: number } {
    const ratio = window.devicePixelRatio || 1;
    const scale = Math.max(1, Math.floor((available * ratio) / this.width));
    this.canvas.width = this.width * scale;
    this.canvas.height = this.height * scale;
    const size = { width: this.canvas.width / ratio, height: this.canvas.height / ratio };
    this.canvas.style.width = `${size.width}px`;
    this.canvas.style.height = `${size.height}px`;
    return size;
  }

  draw(): void {
    const context = this.canvas.getContext("2d");
    if (context === null) return;
    const { width, height } = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    const scale = width / this.width;
    const colours = getComputedStyle(this.canvas);
    context.fillStyle = hatching(context, colours, "unread", ratio);
    context.fillRect(0, 0, width, height);
    if (this.pixels !== null) this.drawRows(context, colours, scale, ratio);
    if (this.reading && this.cursor > 0) {
      context.fillStyle = colours.getPropertyValue("--stop");
      context.fillRect(0, Math.min(this.cursor * scale, height - 2 * ratio), width, 2 * ratio);
    }
    if (this.stopMark !== null) drawStop(context, colours, this.stopMark, scale, ratio);
  }

  private drawRows(
    context: CanvasRenderingContext2D,
    colours: CSSStyleDeclaration,
    scale: number,
    ratio: number,
  ): void {
    const skipped = hatching(context, colours, "skipped", ratio);
    this.bursts.forEach((state, burstIndex) => {
      const first = burstIndex * this.burstRows;
      if (state === "skipped") {
        context.fillStyle = skipped;
        context.fillRect(0, first * scale, this.canvas.width, this.burstRows * scale);
        return;
      }
      const rows = state === "read" ? this.burstRows : Math.min(this.burstRows, Math.floor(this.cursor - first));
      if (rows <= 0 || this.pixels === null) return;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.pixels, 0, first, this.width, rows, 0, first * scale, this.canvas.width, rows * scale);
    });
  }
}

function paint(frame: Frame): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = frame.width;
  canvas.height = frame.height;
  canvas.getContext("2d")?.putImageData(new ImageData(rgbaFromRgb(frame.rgb), frame.width, frame.height), 0, 0);
  return canvas;
}

/** Diagonals for what was not read, dashes for what was skipped: told apart without colour, too. */
function hatching(
  context: CanvasRenderingContext2D,
  colours: CSSStyleDeclaration,
  kind: "unread" | "skipped",
  ratio: number,
): CanvasPattern | string {
  const side = Math.round(8 * ratio);
  const tile = document.createElement("canvas");
  tile.width = side;
  tile.height = side;
  const brush = tile.getContext("2d");
  if (brush === null) return colours.getPropertyValue("--hatch-ground");
  brush.fillStyle = colours.getPropertyValue(kind === "unread" ? "--hatch-ground" : "--skip-ground");
  brush.fillRect(0, 0, side, side);
  brush.strokeStyle = brush.fillStyle = colours.getPropertyValue(kind === "unread" ? "--hatch-line" : "--skip-line");
  brush.lineWidth = ratio;
  if (kind === "unread") {
    brush.beginPath();
    for (const shift of [-side, 0, side]) {
      brush.moveTo(shift - ratio, side + ratio);
      brush.lineTo(shift + side + ratio, -ratio);
    }
    brush.stroke();
  } else {
    brush.beginPath();
    brush.arc(side / 2, side / 2, 1.1 * ratio, 0, 2 * Math.PI);
    brush.fill();
  }
  return context.createPattern(tile, "repeat") ?? colours.getPropertyValue("--hatch-ground");
}

function drawStop(
  context: CanvasRenderingContext2D,
  colours: CSSStyleDeclaration,
  mark: StopMark,
  scale: number,
  ratio: number,
): void {
  const { width, height } = context.canvas;
  const line = 3 * ratio;
  const y = Math.min(mark.row * scale, height - line);
  context.fillStyle = colours.getPropertyValue("--stop");
  context.fillRect(0, y - line / 2, width, line);

  const p = probabilityWords(mark.p_person);
  const text = /^[<>]/.test(p) ? `P(person) ${p}` : `P(person) = ${p}`;
  context.font = `600 ${13 * ratio}px ${colours.fontFamily}`;
  const padding = 9 * ratio;
  const boxWidth = context.measureText(text).width + 2 * padding;
  const boxHeight = 26 * ratio;
  // Below the line, over what was not read, if there is room.
  const boxY = y + boxHeight + line < height ? y + line / 2 : y - line / 2 - boxHeight;
  context.beginPath();
  context.rect(width - boxWidth, boxY, boxWidth, boxHeight);
  context.fill();
  context.fillStyle = colours.getPropertyValue("--on-stop");
  context.textBaseline = "middle";
  context.fillText(text, width - boxWidth + padding, boxY + boxHeight / 2 + ratio / 2);
}
