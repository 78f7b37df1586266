/** What the page shows, as files: curves as CSV and JSON, the picture as PNG. */

import { scanRecord } from "../service/scan-record";
import { download } from "../view/dom";
import { drawSheet, type SheetPart } from "../view/sheet";
import { curvesCsv } from "../worker/curve";
import type { Controls } from "./controls";
import type { ScanDesk } from "./scan-desk";

export function exportCsv(desk: ScanDesk): void {
  download(`${fileName(desk)}.csv`, new Blob([curvesCsv(desk.lanes)], { type: "text/csv" }));
}

export function exportJson(desk: ScanDesk, { settings, model }: Controls): void {
  const content = scanRecord({
    picture: desk.picture?.name ?? "",
    variant: model.variant,
    weights: model.weights,
    lineTimeUs: settings.lineTimeUs,
    lanes: desk.lanes,
  });
  download(`${fileName(desk)}.json`, new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
}

/** The scan on one sheet that explains itself. */
export function exportPng(desk: ScanDesk, { settings, model }: Controls): void {
  const parts = desk.lanes.flatMap((_, index): SheetPart[] => {
    const panel = desk.panels[index];
    const plot = panel?.plot.canvas;
    return panel && plot ? [{ ...panel.caption, frame: panel.view.canvas, plot, legend: panel.legend }] : [];
  });
  const sheet = drawSheet(parts, {
    title: desk.picture?.name ?? "",
    product: "rascanet-stream: person or no person, decided while the sensor reads out",
    source: `Network ${model.variant}, weights ${model.weights.slice(0, 12)}, ${settings.lineTimeUs.toFixed(1)} µs a line`,
  });
  sheet.toBlob((blob) => blob && download(`${fileName(desk)}.png`, blob), "image/png");
}

function fileName(desk: ScanDesk): string {
  return `scan-${(desk.picture?.name ?? "frame").replace(/[^\w.-]+/g, "_")}`;
}
