/** A scan drawn on one sheet, to be shared: whose it is, what was decided, frame and plot, and what their marks mean. */

import type { LegendEntry } from "./legend";

export interface SheetPart {
  policy: string;
  decision: string;
  frame: HTMLCanvasElement;
  plot: HTMLCanvasElement;
  legend: readonly LegendEntry[];
}

export interface SheetWords {
  title: string;
  product: string;
  source: string;
}

const MARGIN_PX = 24;
const GAP_PX = 20;
const LINE_PX = 20;
const SWATCH_PX = 18;
const TITLE_PX = 18;
const TEXT_PX = 13;
const LEAST_WIDTH_PX = 560;
const MARKS =
  "In the frame: hatched rows were not read, dotted ones skipped, the thick line is where the scan stopped.";

export function drawSheet(parts: readonly SheetPart[], words: SheetWords): HTMLCanvasElement {
  const ratio = devicePixelRatio || 1;
  const sheet = document.createElement("canvas");
  const context = sheet.getContext("2d");
  if (context === null) return sheet;
  const colours = getComputedStyle(document.body);
  const colour = (name: string) => colours.getPropertyValue(name).trim();
  const css = (canvas: HTMLCanvasElement) => ({ width: canvas.width / ratio, height: canvas.height / ratio });
  const partWidth = ({ frame, plot }: SheetPart) => css(frame).width + GAP_PX + css(plot).width;
  const width = Math.max(LEAST_WIDTH_PX, ...parts.map(partWidth)) + 2 * MARGIN_PX;
  const font = (weight: number, size: number) => `${weight} ${size}px ${colours.fontFamily}`;

  /** Draws everything from the top, or only measures how far down it goes. */
  const compose = (draw: boolean): number => {
    let top = MARGIN_PX;
    const line = (text: string, weight: number, size: number, name: string, left = MARGIN_PX) => {
      context.font = font(weight, size);
      for (const piece of wrapped(context, text, width - MARGIN_PX - left)) {
        context.fillStyle = name === "" ? colours.color : colour(name);
        if (draw) context.fillText(piece, left, top);
        top += size + 6;
      }
    };
    line(words.title, 700, TITLE_PX, "");
    line(words.product, 400, TEXT_PX, "--muted");
    for (const { policy, decision, frame, plot, legend } of parts) {
      top += GAP_PX / 2;
      line(`${policy}: ${decision}`, 600, TEXT_PX + 2, "");
      top += 4;
      const [left, right] = [css(frame), css(plot)];
      if (draw) {
        context.drawImage(frame, MARGIN_PX, top, left.width, left.height);
        context.drawImage(plot, MARGIN_PX + left.width + GAP_PX, top, right.width, right.height);
      }
      top += Math.max(left.height, right.height) + 10;
      top += drawLegend(context, legend, width, top, draw, colour, font(400, TEXT_PX));
    }
    top += 4;
    line(MARKS, 400, TEXT_PX - 1, "--muted");
    line(words.source, 400, TEXT_PX - 1, "--muted");
    return top + MARGIN_PX - 6;
  };

  const height = compose(false);
  sheet.width = Math.round(width * ratio);
  sheet.height = Math.round(height * ratio);
  context.scale(ratio, ratio);
  context.textBaseline = "top";
  context.fillStyle = colour("--card");
  context.fillRect(0, 0, width, height);
  compose(true);
  return sheet;
}

/** Entries side by side, as many as fit in a line; the height that they take. */
function drawLegend(
  context: CanvasRenderingContext2D,
  legend: readonly LegendEntry[],
  width: number,
  top: number,
  draw: boolean,
  colour: (name: string) => string,
  font: string,
): number {
  context.font = font;
  let left = MARGIN_PX;
  let down = 0;
  for (const { swatch, words, value } of legend) {
    const text = `${words} ${value}`;
    const wide = SWATCH_PX + 6 + context.measureText(text).width + GAP_PX;
    if (left > MARGIN_PX && left + wide > width - MARGIN_PX) {
      left = MARGIN_PX;
      down += LINE_PX;
    }
    if (draw) {
      const stroke = { beyond: "--p", empty: "--skip" }[swatch as string] ?? `--${swatch}`;
      context.strokeStyle = colour(stroke);
      context.lineWidth = swatch === "p" ? 2.5 : 1.5;
      context.setLineDash(swatch === "beyond" ? [2, 3] : swatch === "p" || swatch === "confidence" ? [] : [5, 4]);
      context.beginPath();
      context.moveTo(left, top + down + 8);
      context.lineTo(left + SWATCH_PX, top + down + 8);
      context.stroke();
      context.setLineDash([]);
      context.fillStyle = colour("--ink");
      context.fillText(text, left + SWATCH_PX + 6, top + down);
    }
    left += wide;
  }
  return down + LINE_PX;
}

/** The text in lines that fit. */
function wrapped(context: CanvasRenderingContext2D, text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && context.measureText(longer).width <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
