/** The three desks, the pictures and files that go to them, and the buttons and addresses between them. */

import type { Offer } from "../service/offer";
import { fetchRecording } from "../service/service";
import { type Mode, queryOf } from "../service/settings";
import { byId, calm, make } from "../view/dom";
import { Meters } from "../view/meters";
import { headline, tell, tellServiceFault } from "../view/notice";
import { SavingsCards } from "../view/savings-cards";
import { AreaDesk, type Ground } from "./area-desk";
import { type Change, Controls } from "./controls";
import { Engine } from "./engine";
import { Exports } from "./export";
import { sortFiles } from "./files";
import { LiveDesk } from "./live-desk";
import { OwnPictures } from "./own-pictures";
import { listenForFiles, MAX_OWN_PICTURES, type Picture, Pictures, uprightPicture } from "./pictures";
import { PromiseWatch } from "./promise-watch";
import { type Outcome, ScanDesk } from "./scan-desk";
import { abilities } from "./scan-life";
import { ScanTeller } from "./scan-teller";
import { TOUR_REST_MS, Tour } from "./tour";
import { WallDesk } from "./wall-desk";

export class Page {
  private readonly controls: Controls;
  private readonly scanDesk: ScanDesk;
  private readonly liveDesk: LiveDesk;
  private readonly wallDesk: WallDesk;
  private readonly pictures = new Pictures((picture) => this.chosen(picture));
  private readonly own = new OwnPictures(this.pictures, (picture, realTime) => this.choose(picture, realTime));
  private readonly go = byId<HTMLButtonElement>("go");
  private readonly exports: Exports;
  private readonly tour: Tour<Picture>;
  private readonly promise: PromiseWatch;
  /** The desk that is shown. */
  private mode: Mode;
  private layOutDue = 0;

  constructor(private readonly offer: Offer) {
    const worker = new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module" });
    const engine = new Engine(worker, offer.place);
    const meters = new Meters(offer.engine);
    const cards = new SavingsCards();
    const buttons = () => this.showButtons();
    this.controls = new Controls(offer, location.search, (change) => this.changed(change));
    this.scanDesk = new ScanDesk(engine, this.controls, meters, new ScanTeller(meters, cards), {
      changed: buttons,
      over: (picture, outcome) => this.over(picture, outcome),
    });
    this.liveDesk = new LiveDesk(engine, this.controls, meters, cards, buttons);
    this.wallDesk = new WallDesk(engine, this.controls, buttons);
    this.exports = new Exports(this.scanDesk, this.controls, () => this.remember());
    this.promise = new PromiseWatch(this.controls, offer);
    new AreaDesk(
      this.controls,
      () => this.ground(),
      () => this.liveDesk.release(),
    );
    this.mode = this.controls.settings.mode;
    this.pictures.addSamples(offer.samples);
    // Only who comes by the bare address has chosen nothing; people are what there is to see, so theirs come first.
    const first = this.pictures.named("astronaut");
    const rest = this.pictures.all.filter((picture) => picture !== first);
    this.tour = new Tour(location.search === "" ? [...(first ? [first] : []), ...rest] : []);
  }

  /** Shows what the address says, and listens. */
  open(): void {
    this.listen();
    this.welcome();
    this.layOut();
    this.showButtons();
    if (this.offer.engine === "service") this.promise.begin();
    this.begin();
  }

  /** Begins what the settings name by themselves. */
  private begin(): void {
    const { mode, sample } = this.controls.settings;
    const named = this.pictures.named(sample) ?? this.scanDesk.picture;
    if (mode === "scan" && named) this.choose(named);
    else if (mode === "scan") this.tourOn();
    if (mode === "wall" && this.pictures.all.length > 0) void this.wallDesk.begin(this.pictures.all);
  }

  private tourOn(): void {
    const picture = this.tour.next();
    if (picture === undefined) return;
    this.pictures.mark(picture);
    this.controls.settings.sample = picture.name;
    void this.scanDesk.scan(picture);
  }

  /** Where there is motion to be calm about, one sample is enough. */
  private tourRests(): void {
    if (calm()) return;
    const go = () => {
      if (!this.tour.going || this.scanDesk.phase !== "decided" || this.controls.settings.mode !== "scan") return;
      if (document.hidden) document.addEventListener("visibilitychange", go, { once: true });
      else this.tourOn();
    };
    setTimeout(go, TOUR_REST_MS);
  }

  /** A thumbnail was pressed. */
  private chosen(picture: Picture): void {
    this.own.stop();
    if (this.controls.settings.mode === "live") this.turnTo("scan");
    if (this.controls.settings.mode === "wall") return void this.wallDesk.begin(this.pictures.all);
    this.choose(picture);
  }

  private choose(picture: Picture, realTime = false): void {
    if (!this.controls.sound()) return;
    this.pictures.mark(picture);
    this.controls.settings.sample = picture.sample ? picture.name : "";
    this.remember();
    this.showStage();
    void this.scanDesk.scan(picture, { realTime });
  }

  /** A picture is decided, or came to nothing. */
  private over(picture: Picture, outcome: Outcome): void {
    this.own.note(picture, outcome);
    this.pictures.mark(this.scanDesk.picture);
    if (!this.own.next() && this.tour.going && outcome.kind === "decided") this.tourRests();
  }

  /** What private areas are drawn on: the camera or film, or the picture at hand. */
  private async ground(): Promise<Ground> {
    if (this.controls.settings.mode === "live") return this.liveDesk.hold();
    const picture = this.scanDesk.picture ?? this.pictures.all[0];
    return picture === undefined ? null : uprightPicture(picture);
  }

  private remember(): void {
    history.replaceState(null, "", queryOf(this.controls.settings));
  }

  /** Another desk has an address of its own, to go back from. */
  private turnTo(mode: Mode): void {
    this.controls.settings.mode = this.mode; // of the desk that is left
    this.remember();
    this.controls.setMode(mode);
    history.pushState(null, "", queryOf(this.controls.settings));
    this.arrive();
  }

  private arrive(): void {
    this.mode = this.controls.settings.mode;
    this.tour.end();
    this.own.stop();
    this.scanDesk.stop();
    this.liveDesk.leave();
    this.wallDesk.stop();
    this.layOut();
    this.welcome();
    this.showButtons();
  }

  /** Back or on among the addresses of this page. */
  private travelled(): void {
    this.controls.take(location.search);
    this.own.forget();
    this.arrive();
    if (this.controls.settings.mode === "live") this.liveDesk.comeBack();
    else this.begin();
  }

  private changed(change: Change): void {
    const { mode } = this.controls.settings;
    if (change === "mode") {
      this.turnTo(mode);
      return;
    }
    this.remember();
    if (change === "variant" || change === "policy") this.promise.show();
    if (change === "engine") {
      location.reload(); // another engine has other networks and policies, and the address names it
      return;
    }
    if (change !== "pace" && change !== "tiles") this.own.forget();
    if (mode === "live") {
      if (change === "variant") this.liveDesk.clear();
      this.liveDesk.restream();
    } else if (mode === "wall") {
      if (this.wallDesk.active) void this.wallDesk.begin(this.pictures.all);
    } else if (change === "pace") {
      this.scanDesk.paceChanged();
    } else if (change === "parameters" || change === "compare-parameters") {
      this.scanDesk.parametersChanged(change === "compare-parameters");
    } else {
      const { picture } = this.scanDesk;
      this.scanDesk.clear();
      if (picture) void this.scanDesk.scan(picture);
    }
    this.showWeights();
    this.showButtons();
  }

  private welcome(): void {
    const { mode } = this.controls.settings;
    tell("");
    if (mode === "scan") {
      this.scanDesk.clear();
      if (!this.scanDesk.picture) tell("It is read row by row, and the scan stops as soon as the network is sure.");
    }
    if (mode === "live") {
      this.liveDesk.clear();
      headline("Choose a camera, a video or a recording", "none");
    }
    if (mode === "wall") headline("A wall of sensors", "none");
    this.showWeights();
  }

  private showWeights(): void {
    const { variant, weights } = this.controls.model;
    byId("weights").textContent = `Network ${variant}, weights ${weights.slice(0, 12)}`;
  }

  private get busy(): boolean {
    const { mode } = this.controls.settings;
    if (mode === "live") return this.liveDesk.active;
    if (mode === "wall") return this.wallDesk.active;
    return abilities(this.scanDesk.state, this.scanDesk.replaying, true).stop;
  }

  private showButtons(): void {
    const { mode } = this.controls.settings;
    const { busy } = this;
    const begin = { scan: this.scanDesk.picture ? "Scan again" : "Scan", live: "Use the webcam", wall: "Start" }[mode];
    this.go.textContent = busy ? "Stop" : begin;
    this.go.disabled = mode !== "live" && this.pictures.all.length === 0 && !busy;
    this.exports.offer(abilities(this.scanDesk.state, false, true).save);
  }

  /** The one button that begins and stops. */
  private press(): void {
    const { mode } = this.controls.settings;
    const { busy } = this;
    if (!this.controls.sound()) return;
    if (mode === "live") {
      if (busy) this.liveDesk.end();
      else void this.liveDesk.openCamera();
    } else if (mode === "wall") {
      if (busy) this.wallDesk.stop();
      else void this.wallDesk.begin(this.pictures.all);
    } else {
      this.own.stop();
      if (busy) {
        this.scanDesk.clear();
        tell("Stopped before a decision.");
      } else if (this.scanDesk.picture) this.scanDesk.again();
      else if (this.pictures.all[0]) this.choose(this.pictures.all[0]);
    }
    this.showButtons();
  }

  private async takeFiles(files: File[]): Promise<void> {
    const { film, recording, pictures, others } = await sortFiles(files);
    if (film) {
      this.turnTo("live");
      await this.liveDesk.openVideo(film);
    } else if (recording) {
      this.playRecording(recording.name, new Uint8Array(await recording.arrayBuffer()));
    }
    if (others > 0) tell(`One film or recording plays at a time; ${others} of the files were left out.`);
    if (pictures.length === 0) return;
    const added = this.own.add(pictures);
    if (added.length === 0) tell(`There is no room for more pictures: ${MAX_OWN_PICTURES} at most.`, "fault");
    if (this.controls.settings.mode === "wall") return this.wallDesk.begin(this.pictures.all);
    if (film || recording || added.length === 0) return;
    if (this.controls.settings.mode === "live") this.turnTo("scan");
    this.own.scan(added);
  }

  private removeOwn(): void {
    const { picture } = this.scanDesk;
    this.own.remove();
    if (picture && !picture.sample) {
      this.scanDesk.drop();
      this.pictures.mark(null);
    }
    if (this.wallDesk.active) {
      if (this.pictures.all.length > 0) void this.wallDesk.begin(this.pictures.all);
      else this.wallDesk.stop();
    }
    this.showButtons();
  }

  private playRecording(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    if (this.controls.settings.mode !== "live") this.turnTo("live");
    this.liveDesk.openRecording(name, bytes);
  }

  private layOut(anew = false): void {
    this.scanDesk.layOut(anew);
    this.liveDesk.layOut(anew);
    this.wallDesk.layOut();
  }

  /** On a narrow screen the stage lies below the pictures: a scan must not run out of sight. */
  private showStage(): void {
    const stage = byId("stage");
    const { top } = stage.getBoundingClientRect();
    if (top >= 0 && top < innerHeight / 3) return;
    stage.scrollIntoView({ behavior: calm() ? "auto" : "smooth", block: "start" });
  }

  private listen(): void {
    byId<HTMLFormElement>("settings").onsubmit = (event) => {
      event.preventDefault();
      this.press();
    };
    byId("remove-own").onclick = () => this.removeOwn();
    this.listRecordings();
    for (const box of document.querySelectorAll<HTMLElement>(".table-box")) box.tabIndex = 0; // they scroll
    listenForFiles({
      files: (files) => void this.takeFiles(files),
      address: () =>
        tell(
          "That was an address, not a file, and this page fetches nothing from elsewhere. Save the picture first, " +
            "or copy it and paste it here.",
        ),
    });
    addEventListener("popstate", () => this.travelled());
    for (const kind of ["pointerdown", "keydown", "paste", "drop"]) {
      addEventListener(kind, () => this.tour.end(), { capture: true, once: true });
    }
    let width = 0;
    const observer = new ResizeObserver(([stage]) => {
      // Words come and go and change the height, to which nothing is fitted.
      if (stage === undefined || stage.contentRect.width === width) return;
      width = stage.contentRect.width;
      cancelAnimationFrame(this.layOutDue);
      this.layOutDue = requestAnimationFrame(() => this.layOut());
    });
    observer.observe(byId("stage"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.layOut(true));
  }

  private listRecordings(): void {
    byId("recordings").replaceChildren(
      ...this.offer.recordings.map(({ name, url }) => {
        const button = make("button", { type: "button", class: "choice" }, name);
        button.dataset.recording = name;
        button.onclick = async () => {
          try {
            this.playRecording(name, await fetchRecording(url));
          } catch (error) {
            tellServiceFault(error, () => button.click());
          }
        };
        return make("li", {}, button);
      }),
    );
    byId("no-recordings").hidden = this.offer.recordings.length > 0;
  }
}
