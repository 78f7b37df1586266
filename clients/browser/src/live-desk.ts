/** Live sources: webcam, video file, recording. Frames scanned as they come, a strip of decisions, who came and left. */

import type { Controls } from "./controls";
import { emptyCurve, verdictRows } from "./curve";
import { byId, make, makeTable } from "./dom";
import type { Engine, Running } from "./engine";
import type { Frame } from "./frame";
import type { FrameRateReport } from "./frame-rate";
import { latencyOf } from "./latency";
import type { Report } from "./messages";
import type { Meters } from "./meters";
import { headline, tell, tellFault, type WayOn } from "./notice";
import { Panel } from "./panel";
import { Presence } from "./presence";
import { costOf, savingsOf } from "./savings";
import { streamUrl } from "./service";
import { policyOf } from "./settings";
import type { FrameResult } from "./stream";
import { amountWords, decisionWords, detailWords, probabilityWords, timeWords } from "./words";

const STRIP_FRAMES = 240;
const TABLE_FRAMES = 40;
const EVENTS = 50;
/** Frames come faster than eyes can follow figures. */
const DRAW_MS = 80;

interface Past {
  p_person: number;
  person: boolean;
  exited: boolean;
  share: number;
  turn: string | null;
}

export class LiveDesk {
  private readonly panel: Panel;
  private readonly video = byId<HTMLVideoElement>("video");
  private readonly strip = byId<HTMLCanvasElement>("strip");
  private running: Running | null = null;
  private camera: MediaStream | null = null;
  private source: (() => void) | null = null;
  private name = "";
  private recording: Uint8Array<ArrayBuffer> | undefined;
  /** Of the camera or video whose pictures are taken now. */
  private watching: object | null = null;
  private presence = new Presence();
  private past: Past[] = [];
  private latest: { frame: Frame; result: FrameResult } | null = null;
  private drawDue = 0;
  private rested = false;

  constructor(
    private readonly engine: Engine,
    private readonly controls: Controls,
    private readonly meters: Meters,
    private readonly onChange: () => void,
  ) {
    this.panel = new Panel("panel-live", (name, value, done) => {
      controls.setParameter(false, `${name}_threshold`, value);
      if (done) this.restream();
      else this.draw();
    });
    this.panel.name("Live");
    byId("live-panel").append(this.panel.element);
    byId("webcam").onclick = () => void this.openCamera();
    byId<HTMLDetailsElement>("strip-data").ontoggle = () => this.fillTable();
    document.addEventListener("visibilitychange", () => this.hidden());
  }

  get active(): boolean {
    return this.running !== null;
  }

  clear(): void {
    const { model } = this.controls;
    this.latest = null;
    this.panel.show({
      height: model.height,
      width: model.width,
      frame: null,
      curve: emptyCurve(model.bursts_per_frame, model.burst_rows),
      rows: 0,
      reading: false,
      verdict: null,
      beyond: [],
      thresholds: {},
    });
  }

  layOut(anew = false): void {
    this.panel.layOut(anew);
    this.drawStrip();
  }

  stop(): void {
    this.running?.stop();
    this.running = this.watching = null;
    for (const track of this.camera?.getTracks() ?? []) track.stop();
    this.camera = null;
    this.video.pause();
    this.video.srcObject = null;
    if (this.video.src !== "") URL.revokeObjectURL(this.video.src);
    this.video.removeAttribute("src");
    this.onChange();
  }

  /** Begins the source at hand again, after a fault. */
  again(): void {
    this.source?.();
  }

  /** The settings changed: a new stream, the same source. */
  restream(): void {
    if (this.running === null) return;
    this.running.stop();
    this.begin(this.name, this.recording);
  }

  /** Asks for the camera; never without a click. */
  async openCamera(): Promise<void> {
    this.stop();
    this.source = () => void this.openCamera();
    const again: WayOn = { label: "Try again", go: () => void this.openCamera() };
    const devices = navigator.mediaDevices as MediaDevices | undefined;
    if (devices === undefined) {
      tell("A browser gives cameras to secure pages alone: open this page by https, or on localhost.", "fault");
      return;
    }
    tell("Waiting for the camera; the browser may ask for your leave.");
    try {
      this.camera = await devices.getUserMedia({
        video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
      });
    } catch (error) {
      tell(cameraWords(error), "fault", again);
      headline("No camera", "none");
      return;
    }
    for (const track of this.camera.getTracks()) {
      track.onended = () => {
        this.stop();
        tell("The camera was taken away. Plug it in again, then go on.", "fault", again);
      };
    }
    this.video.srcObject = this.camera;
    await this.watch("the webcam");
  }

  async openVideo(file: File): Promise<void> {
    this.stop();
    this.source = () => void this.openVideo(file);
    this.video.src = URL.createObjectURL(file);
    this.video.loop = true;
    await this.watch(file.name);
  }

  openRecording(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    this.stop();
    this.source = () => this.openRecording(name, bytes);
    this.begin(name, bytes);
  }

  private async watch(name: string): Promise<void> {
    try {
      await this.video.play();
    } catch {
      this.stop();
      tell(`${name} can’t be played as a video. Choose an MP4 or WebM file.`, "fault");
      headline("No video", "none");
      return;
    }
    this.begin(name);
    const watching = {};
    this.watching = watching;
    const next = () => this.video.requestVideoFrameCallback(() => void capture());
    const capture = async () => {
      if (this.watching !== watching) return;
      next();
      const picture = await createImageBitmap(this.video, { colorSpaceConversion: "none" });
      if (this.watching === watching && this.running) this.running.picture(picture);
      else picture.close();
    };
    next();
  }

  private begin(name: string, recording?: Uint8Array<ArrayBuffer>): void {
    this.name = name;
    this.recording = recording;
    const { settings, model } = this.controls;
    this.presence = new Presence();
    this.past = [];
    byId("events").replaceChildren();
    headline("Watching …", "reading");
    tell(`Reading frames of ${name}.`);
    this.running = this.engine.begin(
      {
        kind: "live",
        url: streamUrl(location),
        variant: settings.variant,
        height: model.height,
        width: model.width,
        policy: policyOf(settings.policy, settings.parameters),
        lineTimeMs: settings.lineTimeUs / 1000,
        ...(recording !== undefined && { recording }),
      },
      (report) => this.hear(report),
    );
    this.onChange();
  }

  private hear(report: Report): void {
    switch (report.kind) {
      case "live":
        this.take(report.frame, report.result);
        break;
      case "rate":
        showRate(report.rate);
        break;
      case "recording": {
        const size = `${report.frames} frames of ${report.height} × ${report.width}, ${report.format}`;
        tell(`Playing a recording: ${size}, ${report.lineTimeUs.toFixed(1)} µs a line.`);
        break;
      }
      case "reconnecting":
        tell(`The connection was lost. Trying again (attempt ${report.attempt}); frames wait.`, "fault");
        break;
      case "reconnected":
        tell("Connected again.");
        break;
      case "fault":
        this.stop();
        headline("Stopped", "none");
        tellFault(report, () => this.again());
        break;
    }
  }

  private take(frame: Frame, result: FrameResult): void {
    const { decision, curve, rowsSent, rowBytesSent } = result;
    const { settings } = this.controls;
    const turn = this.presence.add(decision.p_person);
    const cost = costOf(settings, curve, frame);
    this.meters.count(savingsOf(decision, cost, { rows: rowsSent, bytes: rowBytesSent }));
    this.meters.addLatency(latencyOf(result, settings.lineTimeUs));
    const share = verdictRows(curve, decision) / frame.height;
    this.past.push({ p_person: decision.p_person, person: decision.person, exited: decision.exited, share, turn });
    if (this.past.length > STRIP_FRAMES) this.past.shift();
    if (turn !== null) this.note(turn);
    this.latest = { frame, result };
    if (this.drawDue === 0) this.drawDue = window.setTimeout(() => this.draw(), DRAW_MS);
  }

  private note(turn: "appeared" | "left"): void {
    const events = byId("events");
    const time = new Date().toLocaleTimeString();
    events.prepend(make("li", { class: `event-${turn}` }, `Person ${turn} at ${time}`));
    while (events.children.length > EVENTS) events.lastChild?.remove();
  }

  private draw(): void {
    this.drawDue = 0;
    if (this.latest === null) return;
    const { frame, result } = this.latest;
    const { decision, curve } = result;
    const { parameters } = this.controls.settings;
    const { exit_threshold: exit, skip_threshold: skip } = parameters;
    this.panel.show({
      height: frame.height,
      width: frame.width,
      frame,
      curve,
      rows: verdictRows(curve, decision),
      reading: false,
      verdict: decision,
      beyond: [],
      thresholds: { ...(exit !== undefined && { exit }), ...(skip !== undefined && { skip }) },
    });
    const present = this.presence.present;
    headline(present ? "A person is there" : "Nobody is there", present ? "person" : "no-person");
    byId("live-words").textContent = `${decisionWords(curve, decision)}. ${detailWords(curve, decision)}`;
    this.meters.show();
    this.drawStrip();
    this.fillTable();
  }

  /** A column a frame: as high as the share of rows that was read, its colour the decision, a dot at P(person). */
  private drawStrip(): void {
    const { strip } = this;
    const ratio = devicePixelRatio || 1;
    strip.width = Math.max(1, Math.round(strip.clientWidth * ratio));
    strip.height = Math.max(1, Math.round(strip.clientHeight * ratio));
    const context = strip.getContext("2d");
    if (context === null) return;
    const colours = getComputedStyle(strip);
    const colour = (name: string) => colours.getPropertyValue(name);
    const step = strip.width / STRIP_FRAMES;
    const { height } = strip;
    context.fillStyle = colour("--grid");
    context.fillRect(0, height / 2, strip.width, ratio);
    this.past.forEach(({ p_person, person, share, turn }, index) => {
      const x = index * step;
      context.globalAlpha = 0.32;
      context.fillStyle = colour(person ? "--stop" : "--confidence");
      context.fillRect(x, height * (1 - share), Math.max(1, step - ratio * 0.5), height * share);
      context.globalAlpha = 1;
      context.fillStyle = colour("--p");
      context.fillRect(x, height * (1 - p_person) - ratio, Math.max(ratio, step), 2 * ratio);
      if (turn === null) return;
      context.fillStyle = colour("--ink");
      context.fillRect(x, 0, 2 * ratio, height);
    });
  }

  private fillTable(): void {
    if (!byId<HTMLDetailsElement>("strip-data").open) return;
    const rows = this.past
      .slice(-TABLE_FRAMES)
      .reverse()
      .map(({ p_person, person, exited, share, turn }, index) => [
        index === 0 ? "latest" : `${index} before`,
        person ? "person" : "no person",
        probabilityWords(p_person),
        exited ? `exit at ${Math.round(share * 100)} %` : "to the end",
        turn ?? "",
      ]);
    byId("strip-table").replaceChildren(
      makeTable("The latest decisions", ["frame", "decision", "P(person)", "read", "turn"], rows),
    );
  }

  private hidden(): void {
    if (!this.active) return;
    if (document.hidden) {
      this.rested = true;
    } else if (this.rested) {
      this.rested = false;
      tell("While this page was in the background the browser gave it no pictures; it goes on from here.");
    }
  }
}

function showRate(rate: FrameRateReport): void {
  const list = byId("rate");
  for (const [name, value] of Object.entries(rate)) list.dataset[name] = String(value);
  const figures: [string, string][] = [
    ["frames a second", rate.framesPerSecond.toFixed(1)],
    ["captured", String(rate.captured)],
    ["read", String(rate.read)],
    ["dropped", String(rate.dropped)],
    ["between pictures, p50", timeWords(rate.intervalP50Ms)],
    ["between pictures, p95", timeWords(rate.intervalP95Ms)],
    ["most frames waiting", String(rate.waitingPeak)],
    ["most bytes waiting", amountWords(rate.bufferedPeakBytes, "B")],
  ];
  list.replaceChildren(...figures.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function cameraWords(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") {
    return "The camera was refused. Allow it beside the browser’s address, or use a picture, a video or a recording.";
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return "There is no camera here. Plug one in, or use a picture, a video or a recording.";
  }
  if (name === "NotReadableError" || name === "AbortError") {
    return "The camera can’t be started; another program may be using it.";
  }
  return `The camera can’t be used (${name || "unknown reason"}).`;
}
