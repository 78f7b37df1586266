/** What the page shows, as files: curves as CSV and JSON, the picture as PNG. */

import type { ScanDesk } from "../desks/scan-desk";
import type { Settings } from "../service/settings";
import { curvesCsv } from "../worker/curve";
import { download } from "./dom";

export function exportCsv(desk: ScanDesk): void {
  download(`${fileName(desk)}.csv`, new Blob([curvesCsv(desk.lanes)], { type: "text/csv" }));
}

export function exportJson(desk: ScanDesk, settings: Settings, weights: string): void {
  const content = {
    picture: desk.picture?.name,
    variant: settings.variant,
    weights,
    line_time_us: settings.lineTimeUs,
    curves: desk.lanes.map(({ policy, parameters, curve, verdict }) => ({
      policy: { name: policy, ...parameters },
      burst_rows: curve.burstRows,
      bursts_per_frame: curve.burstsPerFrame,
      points: curve.points,
      skipped: curve.skipped,
      decision: verdict,
    })),
  };
  download(`${fileName(desk)}.json`, new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
}

const MARGIN = 24;
const HEAD = 34;

/** Frames and plots as they stand, with the decision above. */
export function exportPng(desk: ScanDesk): void {
  const shown = desk.panels.slice(0, desk.lanes.length);
  const parts = shown.map(({ view, plot, element }) => ({
    words: element.querySelector(".panel-head")?.textContent ?? "",
    pictures: [view.canvas, plot.canvas].filter((canvas) => canvas !== undefined),
  }));
  const ratio = devicePixelRatio || 1;
  const margin = MARGIN * ratio;
  const widthOf = (pictures: HTMLCanvasElement[]) =>
    pictures.reduce((sum, { width }) => sum + width, 0) + margin * (pictures.length - 1);
  const width = Math.max(...parts.map(({ pictures }) => widthOf(pictures))) + 2 * margin;
  const heights = parts.map(
    ({ pictures }) => Math.max(...pictures.map(({ height }) => height)) + HEAD * ratio + margin,
  );
  const sheet = document.createElement("canvas");
  sheet.width = width;
  sheet.height = heights.reduce((sum, height) => sum + height, 0) + margin;
  const context = sheet.getContext("2d");
  if (context === null) return;
  const colours = getComputedStyle(document.body);
  context.fillStyle = colours.getPropertyValue("--card");
  context.fillRect(0, 0, sheet.width, sheet.height);
  let top = margin;
  for (const [index, { words, pictures }] of parts.entries()) {
    context.fillStyle = colours.color;
    context.font = `600 ${15 * ratio}px ${colours.fontFamily}`;
    context.textBaseline = "top";
    context.fillText(words, margin, top);
    let left = margin;
    for (const picture of pictures) {
      context.drawImage(picture, left, top + HEAD * ratio);
      left += picture.width + margin;
    }
    top += heights[index] ?? 0;
  }
  sheet.toBlob((blob) => blob && download(`${fileName(desk)}.png`, blob), "image/png");
}

function fileName(desk: ScanDesk): string {
  return `scan-${(desk.picture?.name ?? "frame").replace(/[^\w.-]+/g, "_")}`;
}
