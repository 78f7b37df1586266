/** The page: its controls, and what a scan does to it. */

import { decodePhoto, exposeFrame, type Frame, PhotoError } from "./frame";
import { ProbabilityPlot, type Thresholds } from "./plot";
import {
  bytesWords,
  decidedAfterRows,
  decisionWords,
  detailWords,
  percent,
  probabilityWords,
  savings,
  timeWords,
} from "./report";
import { type Clock, ScanError, type ScanListener, type ScanResult, type ScanSettings, scan } from "./scan";
import {
  fetchModels,
  fetchPhoto,
  fetchSamples,
  type Model,
  type Models,
  type PolicyKind,
  policyWith,
  type Sample,
  ServiceFault,
  streamUrl,
} from "./service";
import { FrameView } from "./view";
import type { Welcome } from "./wire";

/** 0 stands for as fast as the service answers. */
const LINE_TIMES_MS = [0, 1, 2, 5, 10, 20, 50, 100];
const DEFAULT_LINE_TIME_MS = 20;

const PARAMETER_LABELS: Record<string, string> = {
  exit_threshold: "Exit at P(person)\u00a0≥",
  skip_threshold: "Skip at P(person)\u00a0≤",
};
const POLICY_LABELS: Record<string, string> = {
  published: "When sure (published)",
  never: "Never (read to the end)",
};

function byId<T extends HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element as T;
}

const form = byId<HTMLFormElement>("settings");
const variantSelect = byId<HTMLSelectElement>("variant");
const policySelect = byId<HTMLSelectElement>("policy");
const parameters = byId("parameters");
const lineTime = byId<HTMLInputElement>("line-time");
const fileInput = byId<HTMLInputElement>("file");
const scanButton = byId<HTMLButtonElement>("scan");
const canvas = byId<HTMLCanvasElement>("scan-canvas");
const instruments = byId("instruments");
const view = new FrameView(canvas);
const plot = new ProbabilityPlot(byId("plot"), (p_person, confidence) => {
  byId("p-person").textContent = p_person === null ? "–" : probabilityWords(p_person);
  byId("confidence").textContent = confidence === null ? "–" : probabilityWords(confidence);
});

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** What was chosen to be in front of the lens. */
interface Photo {
  name: string;
  picture: ImageBitmap;
}

let offer: Models = { models: [], policies: [] };
let photo: Photo | null = null;
/** Grows with every choice, so that a slow one does not overtake a later one. */
let choices = 0;
let running: AbortController | null = null;

// ---- telling ----

function tell(text: string, tone: "calm" | "fault" = "calm", wayOn?: { label: string; go: () => void }): void {
  byId("status").textContent = text;
  byId("notice").dataset.tone = tone;
  const button = byId<HTMLButtonElement>("way-on");
  button.hidden = wayOn === undefined;
  button.textContent = wayOn?.label ?? "";
  button.onclick = wayOn?.go ?? null;
}

function tellFault(error: unknown, again: () => void): void {
  if (error instanceof PhotoError) {
    tell(error.message, "fault", { label: "Choose another photo", go: () => fileInput.click() });
  } else if (error instanceof ScanError || error instanceof ServiceFault) {
    tell(error.message, "fault", { label: "Try again", go: again });
  } else {
    tell("Something went wrong in this page.", "fault", { label: "Reload the page", go: () => location.reload() });
    console.error(error);
  }
}

function headline(text: string, verdict: "person" | "no-person" | "reading" | "none"): void {
  const decision = byId("decision");
  decision.textContent = text;
  decision.dataset.verdict = verdict;
}

// ---- settings ----

function model(): Model | undefined {
  return offer.models.find(({ variant }) => variant === variantSelect.value);
}

function policyKind(): PolicyKind | undefined {
  return offer.policies.find(({ name }) => name === policySelect.value);
}

function lineTimeMs(): number {
  return LINE_TIMES_MS[lineTime.valueAsNumber] ?? DEFAULT_LINE_TIME_MS;
}

function parameterInputs(): HTMLInputElement[] {
  return [...parameters.querySelectorAll("input")];
}

function parameterValues(): Record<string, number> {
  return Object.fromEntries(parameterInputs().map((input) => [input.name, input.valueAsNumber]));
}

function thresholds(): Thresholds {
  const { exit_threshold: exit, skip_threshold: skip } = parameterValues();
  return {
    ...(exit !== undefined && Number.isFinite(exit) && { exit }),
    ...(skip !== undefined && Number.isFinite(skip) && { skip }),
  };
}

function showThresholds(): void {
  const marks = thresholds();
  byId("legend-exit").hidden = marks.exit === undefined;
  byId("legend-skip").hidden = marks.skip === undefined;
  byId("exit-value").textContent = String(marks.exit ?? "");
  byId("skip-value").textContent = String(marks.skip ?? "");
  plot.mark(marks);
}

function showParameters(): void {
  parameters.replaceChildren(
    ...Object.entries(policyKind()?.parameters ?? {}).map(([name, value]) => {
      const field = document.createElement("div");
      field.className = "field";
      const label = document.createElement("label");
      const input = document.createElement("input");
      input.id = name.replaceAll("_", "-");
      input.name = name;
      input.type = "number";
      input.min = "0";
      input.max = "1";
      input.step = "any";
      input.required = true;
      input.inputMode = "decimal";
      input.value = String(value);
      label.htmlFor = input.id;
      label.textContent = PARAMETER_LABELS[name] ?? name.replaceAll("_", " ");
      field.append(label, input);
      return field;
    }),
  );
  showThresholds();
}

function showLineTime(): void {
  const ms = lineTimeMs();
  const text = ms === 0 ? "as fast as possible" : `${ms} ms`;
  byId("line-time-value").textContent = text;
  lineTime.setAttribute("aria-valuetext", text);
}

function settingsAreSound(): boolean {
  const { exit, skip } = thresholds();
  const skipInput = parameterInputs().find(({ name }) => name === "skip_threshold");
  skipInput?.setCustomValidity(
    exit !== undefined && skip !== undefined && skip >= exit
      ? "The skip threshold must be below the exit threshold."
      : "",
  );
  return form.reportValidity();
}

function option(value: string, label: string): HTMLOptionElement {
  return new Option(label, value);
}

function showOffer(): void {
  variantSelect.replaceChildren(
    ...offer.models.map(({ variant, height, width }) => option(variant, `${height} rows x ${width} columns`)),
  );
  policySelect.replaceChildren(...offer.policies.map(({ name }) => option(name, POLICY_LABELS[name] ?? name)));
  showParameters();
  showModel();
}

function showModel(): void {
  const chosen = model();
  byId("weights").textContent = chosen ? `Network ${chosen.variant}, weights ${chosen.weights.slice(0, 12)}` : "";
  stopRunning();
  showEmptyFrame();
}

// ---- the instruments ----

function showEmptyFrame(): void {
  const chosen = model();
  if (chosen) {
    view.clear(chosen.height, chosen.width);
    plot.clear(chosen.height);
  }
  canvas.setAttribute("aria-label", "The frame; nothing read yet");
  headline(photo ? "Ready" : "Choose a photo", "none");
  clearSavings();
  layOut();
}

function layOut(): void {
  const beside = getComputedStyle(instruments).getPropertyValue("--plot-beside").trim() === "1";
  const screen = canvas.parentElement as HTMLElement;
  const size = view.fit(screen.clientWidth);
  view.draw();
  plot.build({ beside, width: byId("plot").clientWidth, height: size.height });
}

/** On a narrow screen the frame lies below the settings: a scan must not run out of sight. */
function showStage(): void {
  const stage = byId("stage");
  const { top } = stage.getBoundingClientRect();
  if (top >= 0 && top < innerHeight / 3) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  stage.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
}

function clearSavings(): void {
  for (const name of ["rows", "bytes", "time", "work"]) {
    byId(`saved-${name}`).textContent = "–";
    byId(`bar-${name}`).style.width = "0";
  }
}

function showSavings(result: ScanResult, lineMs: number): void {
  const saved = savings(result, lineMs);
  const show = (name: string, figure: string, share: number, hint: string) => {
    byId(`saved-${name}`).textContent = figure;
    byId(`bar-${name}`).style.width = `${Math.min(1, Math.max(0, share)) * 100}%`;
    byId(`saved-${name}-hint`).textContent = hint;
  };
  const bytes = saved.bytesSent + saved.bytesSaved;
  const rowShare = saved.rowsSent / saved.rows;
  show("rows", String(saved.rowsSent), rowShare, `of ${saved.rows} (${percent(rowShare)})`);
  show(
    "bytes",
    bytesWords(saved.bytesSaved),
    saved.bytesSaved / bytes,
    `${bytesWords(saved.bytesSent)} of ${bytesWords(bytes)} sent`,
  );
  show(
    "time",
    timeWords(saved.decisionMs),
    saved.decisionMs / saved.fullReadoutMs,
    `full readout ${saved.fullReadoutEstimated ? "about " : ""}${timeWords(saved.fullReadoutMs)}`,
  );
  const { processed, skipped, unread } = result.decision;
  show(
    "work",
    String(processed),
    saved.processedRatio,
    `of ${result.welcome.bursts_per_frame}; ${skipped} skipped, ${unread} unread`,
  );
}

// ---- scanning ----

function stopRunning(): void {
  running?.abort();
  running = null;
  scanButton.textContent = photo ? "Scan again" : "Scan";
  scanButton.disabled = photo === null;
}

async function startScan(): Promise<void> {
  const chosen = model();
  const kind = policyKind();
  if (photo === null || !chosen || !kind || !settingsAreSound()) return;
  stopRunning();
  const stop = new AbortController();
  running = stop;
  const { name, picture } = photo;
  const lineMs = lineTimeMs();
  const settings: ScanSettings = {
    url: streamUrl(location),
    variant: chosen.variant,
    policy: policyWith(kind, parameterValues()),
    lineTimeMs: lineMs,
  };
  showEmptyFrame();
  showThresholds();
  showStage();
  headline("Reading …", "reading");
  tell(`Scanning ${name}.`);
  scanButton.textContent = "Stop";
  scanButton.disabled = false;
  try {
    const frame = exposeFrame(picture, chosen.height, chosen.width);
    const listener = listenerFor(frame, lineMs, stop.signal);
    const result = await scan(
      frame,
      settings,
      listener,
      (url, protocol) => new WebSocket(url, protocol),
      clock,
      stop.signal,
    );
    if (running === stop) showSavings(result, lineMs);
  } catch (error) {
    if (running !== stop) return; // a newer scan has the page
    view.end(null);
    view.draw();
    headline("No decision", "none");
    if (error instanceof ScanError && error.fault === "stopped") tell("Stopped before a decision.");
    else tellFault(await explained(error), () => void startScan());
  } finally {
    if (running === stop) stopRunning();
  }
}

function listenerFor(frame: Frame, lineMs: number, stop: AbortSignal): ScanListener {
  let welcome: Welcome | null = null;
  let startMs = 0;
  let reading = false;
  const animate = () => {
    if (!reading || stop.aborted) return;
    if (lineMs > 0) view.readTo((clock.now() - startMs) / lineMs);
    view.draw();
    requestAnimationFrame(animate);
  };
  return {
    started(said) {
      welcome = said;
      startMs = clock.now();
      reading = true;
      view.begin(frame, said.burst_rows);
      requestAnimationFrame(animate);
    },
    sent: (burstIndex) => view.markRead(burstIndex),
    skipped: (burstIndex) => view.markSkipped(burstIndex),
    progress({ burst_index, p_person, confidence }) {
      if (welcome) plot.add((burst_index + 1) * welcome.burst_rows, p_person, confidence);
    },
    decided(decision) {
      reading = false;
      if (!welcome) return;
      const words = decisionWords(decision, welcome);
      const rows = decidedAfterRows(decision, welcome);
      view.end({ row: rows, p_person: decision.p_person });
      view.draw();
      headline(words, decision.person ? "person" : "no-person");
      tell(detailWords(decision, welcome));
      canvas.setAttribute("aria-label", `The frame, read to row ${rows} of ${welcome.height}. ${words}.`);
    },
  };
}

/** A browser does not say why a websocket was refused; whether the server still answers tells the two reasons apart. */
async function explained(error: unknown): Promise<unknown> {
  if (!(error instanceof ScanError) || error.fault !== "refused") return error;
  try {
    await fetchModels();
  } catch {
    return error;
  }
  return new ScanError(
    "refused",
    "The server is there but takes no more scans now; it is probably full. Wait a moment.",
  );
}

// ---- choosing a photo ----

async function choose(name: string, open: () => Promise<Blob>, button: HTMLElement | null): Promise<void> {
  const choice = ++choices;
  try {
    const picture = await decodePhoto(await open(), name);
    if (choice !== choices) return;
    photo?.picture.close();
    photo = { name, picture };
  } catch (error) {
    if (choice === choices) tellFault(error, () => void choose(name, open, button));
    return;
  }
  for (const other of document.querySelectorAll("[data-sample]"))
    other.setAttribute("aria-pressed", String(other === button));
  byId("drop-title").textContent = button === null ? name : "Choose a photo";
  byId("drop").classList.toggle("chosen", button === null);
  scanButton.disabled = offer.models.length === 0;
  await startScan();
}

function chooseFile(file: File | undefined): void {
  if (file !== undefined) void choose(file.name, () => Promise.resolve(file), null);
}

function sampleButton(sample: Sample): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sample";
  button.dataset.sample = sample.name;
  button.setAttribute("aria-pressed", "false");
  const picture = document.createElement("img");
  picture.src = sample.url;
  picture.alt = "";
  const caption = document.createElement("span");
  caption.textContent = sample.name.replaceAll(/[_-]/g, " ");
  button.append(picture, caption);
  button.addEventListener("click", () => void choose(sample.name, () => fetchPhoto(sample), button));
  return button;
}

// ---- starting ----

async function loadOffer(): Promise<void> {
  tell("Asking the server what it offers.");
  try {
    offer = await fetchModels();
  } catch (error) {
    headline("No network", "none");
    tellFault(error, () => void loadOffer());
    return;
  }
  showOffer();
  tell("It is read row by row, from top to bottom, until the network is sure.");
  const samples = await fetchSamples().catch(() => []);
  byId("samples").replaceChildren(...samples.map(sampleButton));
  byId("no-samples").hidden = samples.length > 0;
}

function listen(): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (running === null) {
      void startScan();
      return;
    }
    running.abort();
  });
  variantSelect.addEventListener("change", showModel);
  policySelect.addEventListener("change", showParameters);
  parameters.addEventListener("input", showThresholds);
  lineTime.addEventListener("input", showLineTime);
  fileInput.addEventListener("change", () => {
    chooseFile(fileInput.files?.[0]);
    fileInput.value = ""; // the same file can be chosen again
  });

  let dragDepth = 0;
  const dragging = (change: number) => {
    dragDepth = Math.max(0, dragDepth + change);
    byId("drop").classList.toggle("dragging", dragDepth > 0);
  };
  document.addEventListener("dragenter", () => dragging(1));
  document.addEventListener("dragleave", () => dragging(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    dragging(-dragDepth);
    chooseFile(event.dataTransfer?.files[0]);
  });

  let layOutDue = 0;
  const layOutSoon = () => {
    cancelAnimationFrame(layOutDue);
    layOutDue = requestAnimationFrame(layOut);
  };
  new ResizeObserver(layOutSoon).observe(instruments);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", layOutSoon);
}

lineTime.max = String(LINE_TIMES_MS.length - 1);
lineTime.value = String(LINE_TIMES_MS.indexOf(DEFAULT_LINE_TIME_MS));
showLineTime();
showEmptyFrame();
listen();
void loadOffer();
