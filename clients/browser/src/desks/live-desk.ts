/** Live sources: webcam, video file, recording. Frames scanned as they come, a strip of decisions, who came and left. */

import { latencyOf } from "../service/latency";
import { costOf, savingsOf } from "../service/savings";
import { streamUrl } from "../service/service";
import { policyOf } from "../service/settings";
import { byId, make } from "../view/dom";
import type { Meters } from "../view/meters";
import { chooseAnother, headline, tell, tellFault, type WayOn } from "../view/notice";
import { Panel } from "../view/panel";
import { Strip } from "../view/strip";
import { amountWords, decisionWords, detailWords, timeWords } from "../view/words";
import { emptyCurve, verdictRows } from "../worker/curve";
import type { Frame } from "../worker/frame";
import type { FrameRateReport } from "../worker/frame-rate";
import type { Report } from "../worker/messages";
import type { FrameResult } from "../worker/stream";
import type { Controls } from "./controls";
import type { Engine, Running } from "./engine";
import { cameraWords, ViewFinder } from "./viewfinder";

/** Frames come faster than eyes can follow figures. */
const DRAW_MS = 80;

export class LiveDesk {
  private readonly panel: Panel;
  private readonly finder = new ViewFinder();
  private readonly strip = new Strip();
  private running: Running | null = null;
  /** Begins the source at hand anew. */
  private source: (() => void) | null = null;
  private name = "";
  private recording: Uint8Array<ArrayBuffer> | undefined;
  private latest: { frame: Frame; result: FrameResult } | null = null;
  private drawDue = 0;
  /** The page takes the pictures itself, which it can't in the background. */
  private takesPictures = false;
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
    this.strip.draw();
  }

  stop(): void {
    this.running?.stop();
    this.running = null;
    this.finder.close();
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
    let open: boolean;
    try {
      open = await this.finder.openCamera(devices, () => {
        this.stop();
        tell("The camera was taken away. Plug it in again, then go on.", "fault", again);
      });
    } catch (error) {
      this.finder.close();
      tell(cameraWords(error), "fault", again);
      headline("No camera", "none");
      return;
    }
    if (open) this.begin("the webcam");
  }

  async openVideo(file: File): Promise<void> {
    this.stop();
    this.source = () => void this.openVideo(file);
    let open: boolean;
    try {
      open = await this.finder.openVideo(file);
    } catch {
      this.finder.close();
      tell(`${file.name} can’t be played as a video. Choose an MP4 or WebM file.`, "fault", chooseAnother);
      headline("No video", "none");
      return;
    }
    if (open) this.begin(file.name);
  }

  openRecording(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    this.stop();
    this.source = () => this.openRecording(name, bytes);
    this.begin(name, bytes);
  }

  private begin(name: string, recording?: Uint8Array<ArrayBuffer>): void {
    this.name = name;
    this.recording = recording;
    const { settings, model } = this.controls;
    this.strip.clear();
    headline("Watching …", "reading");
    tell(`Reading frames of ${name}.`);
    const pictures = recording === undefined ? this.finder.stream() : null;
    const running = this.engine.begin(
      {
        kind: "live",
        url: streamUrl(location),
        variant: settings.variant,
        height: model.height,
        width: model.width,
        policy: policyOf(settings.policy, settings.parameters),
        lineTimeMs: settings.lineTimeUs / 1000,
        ...(recording !== undefined && { recording }),
        ...(pictures !== null && { pictures }),
      },
      (report) => this.hear(report),
      pictures === null ? [] : [pictures],
    );
    this.running = running;
    this.takesPictures = recording === undefined && pictures === null;
    if (this.takesPictures) this.finder.watch((picture) => running.picture(picture));
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
    const cost = costOf(settings, curve, frame);
    this.meters.count(savingsOf(decision, cost, { rows: rowsSent, bytes: rowBytesSent }));
    this.meters.addLatency(latencyOf(result, settings.lineTimeUs));
    this.strip.add(curve, decision);
    this.latest = { frame, result };
    if (this.drawDue === 0) this.drawDue = window.setTimeout(() => this.draw(), DRAW_MS);
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
    const { present } = this.strip;
    headline(present ? "A person is there" : "Nobody is there", present ? "person" : "no-person");
    byId("live-words").textContent = `${decisionWords(curve, decision)}. ${detailWords(curve, decision)}`;
    this.meters.show();
    this.strip.draw();
  }

  private hidden(): void {
    if (!this.active || !this.takesPictures) return;
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
