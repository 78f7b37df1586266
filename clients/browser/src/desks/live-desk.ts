/** Live sources: webcam, video file, recording. Frames scanned as they come, a strip of decisions, who came and left. */

import { emptyCurve, exitLines, type Frame, type FrameResult, verdictRows } from "rascanet-stream";
import { latencyOf } from "../service/latency";
import { policyLabel } from "../service/policies";
import { costOf, NOTHING_SAVED, type Savings, savingsOf } from "../service/savings";
import { policyOf, windowOf } from "../service/settings";
import { byId, calm, make } from "../view/dom";
import type { Meters } from "../view/meters";
import { chooseAnother, headline, tell, tellFault, type WayOn } from "../view/notice";
import { NOTHING_BEYOND, Panel } from "../view/panel";
import type { SavingsCards } from "../view/savings-cards";
import { Strip } from "../view/strip";
import { amountWords, decisionWords, detailWords, timeWords } from "../view/words";
import type { FrameRateReport } from "../worker/frame-rate";
import type { Report } from "../worker/messages";
import type { Controls } from "./controls";
import type { Engine, Running } from "./engine";
import { CameraChoice, cameraWords, INSECURE, ViewFinder } from "./viewfinder";

/** Frames come faster than eyes can follow figures. */
const DRAW_MS = 80;
const WEBCAM = "the webcam";

export class LiveDesk {
  private readonly panel: Panel;
  private readonly finder = new ViewFinder();
  private readonly cameras = new CameraChoice(() => {
    if (this.active && this.name === WEBCAM) void this.openCamera();
  });
  private readonly strip = new Strip();
  private running: Running | null = null;
  /** Begins the source at hand anew. */
  private source: (() => void) | null = null;
  private name = "";
  private recording: Uint8Array<ArrayBuffer> | undefined;
  private latest: { frame: Frame; result: FrameResult } | null = null;
  private saved: Savings = NOTHING_SAVED;
  private drawDue = 0;
  /** The page takes the pictures itself, which it can't in the background. */
  private takesPictures = false;
  private rested = false;
  /** Somebody draws on the source; nothing of it is sent meanwhile. */
  private held = false;
  /** The desk was left with its source running, which has not begun again since. */
  private left = false;

  constructor(
    private readonly engine: Engine,
    private readonly controls: Controls,
    private readonly meters: Meters,
    private readonly cards: SavingsCards,
    private readonly onChange: () => void,
  ) {
    this.panel = new Panel("panel-live", (name, value, done) => {
      controls.setParameter(false, name, value);
      if (done) this.restream();
      else this.draw();
    });
    this.panel.name("Live");
    byId("live-panel").append(this.panel.element);
    document.addEventListener("visibilitychange", () => this.hidden());
  }

  get active(): boolean {
    return this.running !== null;
  }

  /**
   * The camera or film, to be drawn on; a camera is asked for where none is open. Nothing of it is sent until `release`.
   * Null where there is none.
   */
  async hold(): Promise<HTMLVideoElement | null> {
    this.held = true;
    if (this.running !== null) {
      this.running.stop();
      this.finder.rest();
    } else {
      const devices = navigator.mediaDevices as MediaDevices | undefined;
      try {
        if (devices !== undefined)
          await this.finder.openCamera(devices, this.cameras.wanted, () => this.finder.close());
      } catch {
        this.finder.close(); // whoever begins with the camera hears why there is none
      }
    }
    return this.finder.shown;
  }

  /** Goes on with what was held; a camera that was opened to be drawn on is let go. */
  release(): void {
    if (!this.held) return;
    this.held = false;
    if (this.running !== null) this.begin(this.name, this.recording);
    else this.finder.close();
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
      beyond: NOTHING_BEYOND,
      lines: [],
    });
    this.cards.clear();
  }

  layOut(anew = false): void {
    this.panel.layOut(anew);
    this.strip.draw();
  }

  stop(): void {
    this.running?.stop();
    this.running = null;
    // What was about to be drawn would be said on another desk.
    window.clearTimeout(this.drawDue);
    this.drawDue = 0;
    this.finder.close();
    this.onChange();
  }

  /** Another desk is turned to: a camera is let go, a film stops, and both can be come back to. */
  leave(): void {
    this.left ||= this.active;
    this.stop();
  }

  /** Goes on with what ran when the desk was left; a camera waits for a click. */
  comeBack(): void {
    if (!this.left || this.source === null) return;
    if (this.name === WEBCAM) tell("The webcam was let go meanwhile.", "calm", this.wayOn("Use it again"));
    else this.source();
  }

  /** The person at the page stops it. */
  end(): void {
    this.stop();
    headline("Stopped", "none");
    tell(`Stopped ${this.name}.`, "calm", this.wayOn("Go on"));
  }

  private wayOn(label: string): WayOn {
    return { label, go: () => this.source?.() };
  }

  /** The settings changed: a new stream, the same source. */
  restream(): void {
    if (this.running === null || this.held) return;
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
      tell(INSECURE, "fault");
      return;
    }
    tell("Waiting for the camera; the browser may ask for your leave.");
    let open: boolean;
    try {
      open = await this.finder.openCamera(devices, this.cameras.wanted, () => {
        this.stop();
        tell("The camera was taken away. Plug it in again, then go on.", "fault", again);
      });
    } catch (error) {
      this.finder.close();
      tell(cameraWords(error), "fault", again);
      headline("No camera", "none");
      return;
    }
    if (!open) return;
    void this.cameras.list(devices);
    this.begin(WEBCAM);
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
    this.left = false;
    this.name = name;
    this.recording = recording;
    const { settings, model } = this.controls;
    this.strip.clear();
    byId("stage").scrollIntoView({ behavior: calm() ? "auto" : "smooth", block: "nearest" });
    headline("Watching …", "reading");
    tell(`Reading frames of ${name}.`);
    const pictures = recording === undefined ? this.finder.stream() : null;
    const running = this.engine.begin(
      {
        kind: "live",
        variant: settings.variant,
        height: model.height,
        width: model.width,
        policy: policyOf(settings.policy, settings.parameters),
        lineTimeMs: settings.lineTimeUs / 1000,
        window: windowOf(settings),
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
        this.take(report.frame, report.result, report.atMs);
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
        tellFault(report, () => this.source?.());
        break;
    }
  }

  private take(frame: Frame, result: FrameResult, atMs: number): void {
    const { decision, curve, rowsSent } = result;
    const { settings } = this.controls;
    const cost = costOf(settings, curve, frame);
    this.saved = savingsOf(decision, cost, rowsSent);
    this.meters.count(this.saved);
    this.meters.addLatency(latencyOf(result, settings.lineTimeUs));
    this.strip.add(curve, decision, atMs);
    this.latest = { frame, result };
    if (this.drawDue === 0) this.drawDue = window.setTimeout(() => this.draw(), DRAW_MS);
  }

  private draw(): void {
    this.drawDue = 0;
    if (this.latest === null) return;
    const { frame, result } = this.latest;
    const { decision, curve } = result;
    const { settings, model } = this.controls;
    const lines = exitLines(settings.policy === model.calibrated?.name ? model.calibrated : settings.parameters);
    this.panel.show({
      height: frame.height,
      width: frame.width,
      frame,
      curve,
      rows: verdictRows(curve, decision),
      reading: false,
      verdict: decision,
      beyond: NOTHING_BEYOND,
      lines,
    });
    const { present } = this.strip;
    headline(present ? "A person is there" : "Nobody is there", present ? "person" : "no-person");
    byId("live-words").textContent =
      `${decisionWords(curve, decision)}. ${detailWords(curve, decision, result.rowsSent)}`;
    this.cards.show([{ name: policyLabel(settings.policy), saved: this.saved }]);
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
