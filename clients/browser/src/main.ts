/** The page: what the service offers, the three desks, and the buttons between them. */

import { type Change, Controls } from "./desks/controls";
import { Engine } from "./desks/engine";
import { LiveDesk } from "./desks/live-desk";
import { listenForFiles, Pictures } from "./desks/pictures";
import { ScanDesk } from "./desks/scan-desk";
import { WallDesk } from "./desks/wall-desk";
import { fetchModels, fetchRecording, fetchRecordings, fetchSamples } from "./service/service";
import { queryOf } from "./service/settings";
import { byId, calm, make } from "./view/dom";
import { exportCsv, exportJson, exportPng } from "./view/export";
import { Meters } from "./view/meters";
import { headline, tell, tellServiceFault } from "./view/notice";

const RECORDING = /\.rec(ording)?$|\.rscn$/i;

async function start(): Promise<void> {
  headline("Opening …", "none");
  try {
    const [offer, samples, recordings] = await Promise.all([fetchModels(), fetchSamples(), fetchRecordings()]);
    tell("");
    build(offer, samples, recordings);
  } catch (error) {
    headline("Nothing to scan with", "none");
    tellServiceFault(error, () => void start());
  }
}

function build(
  offer: Awaited<ReturnType<typeof fetchModels>>,
  samples: Awaited<ReturnType<typeof fetchSamples>>,
  recordings: Awaited<ReturnType<typeof fetchRecordings>>,
): void {
  const engine = new Engine(new Worker(new URL("./worker/worker.ts", import.meta.url), { type: "module" }));
  const controls = new Controls(offer, location.search, changed);
  const meters = new Meters();
  const scanDesk = new ScanDesk(engine, controls, meters, scanPhase);
  const liveDesk = new LiveDesk(engine, controls, meters, showButtons);
  const wallDesk = new WallDesk(engine, controls, showButtons);
  const queue: typeof pictures.all = [];
  const pictures = new Pictures((picture) => {
    queue.length = 0;
    if (controls.settings.mode === "live") controls.setMode("scan");
    if (controls.settings.mode === "wall") return void wallDesk.begin(pictures.all);
    choose(picture);
  });
  const go = byId<HTMLButtonElement>("go");

  function choose(picture: (typeof pictures.all)[number]): void {
    if (!controls.sound()) return;
    pictures.mark(picture);
    controls.settings.sample = picture.sample ? picture.name : "";
    remember();
    showStage();
    void scanDesk.scan(picture);
  }

  function remember(): void {
    history.replaceState(null, "", queryOf(controls.settings));
  }

  function changed(change: Change): void {
    const { mode } = controls.settings;
    remember();
    if (change === "mode") {
      scanDesk.stop();
      liveDesk.stop();
      wallDesk.stop();
      layOut();
      welcome();
    } else if (mode === "live") {
      if (change === "variant") liveDesk.clear();
      liveDesk.restream();
    } else if (mode === "wall") {
      if (wallDesk.active) void wallDesk.begin(pictures.all);
    } else if (change === "pace") {
      scanDesk.paceChanged();
    } else if (change === "parameters" || change === "compare-parameters") {
      scanDesk.parametersChanged(change === "compare-parameters");
    } else {
      const { picture } = scanDesk;
      scanDesk.clear();
      layOut();
      if (picture) void scanDesk.scan(picture);
    }
    showButtons();
  }

  function welcome(): void {
    const { mode } = controls.settings;
    tell("");
    if (mode === "scan") {
      scanDesk.clear();
      if (!scanDesk.picture) tell("It is read row by row, and the scan stops as soon as the network is sure.");
    }
    if (mode === "live") {
      liveDesk.clear();
      headline("Choose a camera, a video or a recording", "none");
    }
    if (mode === "wall") headline("A wall of sensors", "none");
    byId("weights").textContent = `Network ${controls.model.variant}, weights ${controls.model.weights.slice(0, 12)}`;
  }

  function scanPhase(over: boolean): void {
    showButtons();
    const next = over ? queue.shift() : undefined;
    if (next) choose(next);
  }

  function showButtons(): void {
    const { mode } = controls.settings;
    const { phase } = scanDesk;
    const busy =
      mode === "scan"
        ? phase === "opening" || (phase === "reading" && !scanDesk.paused)
        : mode === "live"
          ? liveDesk.active
          : wallDesk.active;
    go.textContent = busy ? "Stop" : mode === "scan" ? (scanDesk.picture ? "Scan again" : "Scan") : "Start";
    go.disabled = mode !== "live" && pictures.all.length === 0 && !busy;
    go.hidden = mode === "live" && !busy;
    const decided = phase === "decided";
    for (const name of ["csv", "json", "png"]) byId<HTMLButtonElement>(`export-${name}`).disabled = !decided;
  }

  function press(): void {
    const { mode } = controls.settings;
    if (!controls.sound()) return;
    if (mode === "scan") {
      const busy = scanDesk.phase === "opening" || (scanDesk.phase === "reading" && !scanDesk.paused);
      queue.length = 0;
      if (busy) {
        scanDesk.clear();
        tell("Stopped before a decision.");
      } else if (scanDesk.picture) scanDesk.again();
      else if (pictures.all[0]) choose(pictures.all[0]);
    } else if (mode === "live") liveDesk.stop();
    else if (wallDesk.active) wallDesk.stop();
    else void wallDesk.begin(pictures.all);
    showButtons();
  }

  async function takeFiles(files: File[]): Promise<void> {
    const [first] = files;
    if (first === undefined) return;
    if (first.type.startsWith("video/")) {
      controls.setMode("live");
      changed("mode");
      return liveDesk.openVideo(first);
    }
    if (RECORDING.test(first.name)) return playRecording(first.name, new Uint8Array(await first.arrayBuffer()));
    const added = pictures.addFiles(files);
    if (added.length < files.length) tell(`${files.length - added.length} pictures were left out: there is no room.`);
    if (controls.settings.mode === "wall") return wallDesk.begin(pictures.all);
    if (controls.settings.mode === "live") {
      controls.setMode("scan");
      changed("mode");
    }
    queue.splice(0, queue.length, ...added.slice(1));
    if (added[0]) choose(added[0]);
  }

  function playRecording(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    controls.setMode("live");
    changed("mode");
    liveDesk.openRecording(name, bytes);
  }

  function layOut(anew = false): void {
    for (const panel of scanDesk.panels) panel.layOut(anew);
    liveDesk.layOut(anew);
    wallDesk.layOut();
  }

  /** On a narrow screen the frame lies below the settings: a scan must not run out of sight. */
  function showStage(): void {
    const stage = byId("stage");
    const { top } = stage.getBoundingClientRect();
    if (top >= 0 && top < innerHeight / 3) return;
    stage.scrollIntoView({ behavior: calm() ? "auto" : "smooth", block: "start" });
  }

  byId<HTMLFormElement>("settings").onsubmit = (event) => {
    event.preventDefault();
    press();
  };
  byId("export-csv").onclick = () => exportCsv(scanDesk);
  byId("export-json").onclick = () => exportJson(scanDesk, controls.settings, controls.model.weights);
  byId("export-png").onclick = () => exportPng(scanDesk);
  byId("share").onclick = async () => {
    remember();
    try {
      await navigator.clipboard.writeText(location.href);
      tell("The address with all settings is on the clipboard.");
    } catch {
      tell("The address above holds all settings; copy it from there.");
    }
  };
  byId("recordings").replaceChildren(
    ...recordings.map(({ name, url }) => {
      const button = make("button", { type: "button", class: "choice" }, name);
      button.dataset.recording = name;
      button.onclick = async () => {
        try {
          playRecording(name, await fetchRecording(url));
        } catch (error) {
          tellServiceFault(error, () => button.click());
        }
      };
      return make("li", {}, button);
    }),
  );
  byId("no-recordings").hidden = recordings.length > 0;
  for (const box of document.querySelectorAll<HTMLElement>(".table-box")) box.tabIndex = 0; // they scroll
  listenForFiles((files) => void takeFiles(files));

  let layOutDue = 0;
  const layOutSoon = () => {
    cancelAnimationFrame(layOutDue);
    layOutDue = requestAnimationFrame(() => layOut());
  };
  new ResizeObserver(layOutSoon).observe(byId("stage"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => layOut(true));

  pictures.addSamples(samples);
  welcome();
  layOut();
  showButtons();
  const sample = pictures.named(controls.settings.sample);
  if (sample && controls.settings.mode === "scan") choose(sample);
  if (controls.settings.mode === "wall" && pictures.all.length > 0) void wallDesk.begin(pictures.all);
}

void start();
