/** What the page shows, to be kept or handed on: its address, curves as CSV and JSON, the picture as PNG. */

import { curvesCsv } from "rascanet-stream";
import { scanRecord } from "../service/scan-record";
import { byId, download } from "../view/dom";
import { drawSheet, type SheetPart } from "../view/sheet";
import type { Controls } from "./controls";
import type { ScanDesk } from "./scan-desk";

const FILES = { csv: exportCsv, json: exportJson, png: exportPng };

export class Exports {
  /** `remember`: puts the settings into the address. */
  constructor(desk: ScanDesk, controls: Controls, remember: () => void) {
    for (const [name, save] of Object.entries(FILES)) this.button(name).onclick = () => save(desk, controls);
    byId("share").onclick = () => {
      remember();
      void share(desk);
    };
  }

  /** There is something to save, or nothing. */
  offer(something: boolean): void {
    for (const name of Object.keys(FILES)) this.button(name).disabled = !something;
    byId("share-said").textContent = "";
  }

  private button(name: string): HTMLButtonElement {
    return byId<HTMLButtonElement>(`export-${name}`);
  }
}

/** Puts the address on the clipboard; a picture of one's own has none. */
async function share(desk: ScanDesk): Promise<void> {
  const own = desk.picture !== null && !desk.picture.sample;
  const without = own ? " Your own picture is not in it: whoever opens it chooses one of theirs." : "";
  const say = (words: string) => {
    byId("share-said").textContent = words + without;
  };
  try {
    await navigator.clipboard.writeText(location.href);
    say("The address with all settings is on the clipboard.");
  } catch {
    say("The address above holds all settings; copy it from there.");
  }
}

function exportCsv(desk: ScanDesk): void {
  download(`${fileName(desk)}.csv`, new Blob([curvesCsv(desk.lanes)], { type: "text/csv" }));
}

function exportJson(desk: ScanDesk, { settings, model }: Controls): void {
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
function exportPng(desk: ScanDesk, { settings, model }: Controls): void {
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
