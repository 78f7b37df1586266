/** The dialog in which private areas and the region are drawn on the picture: by pointer, by touch, by keyboard. */

import { type Place, parseMasks, parseRegion, type Rectangle, type Shape, shapesText } from "rascanet-stream";
import { MAX_MASKS } from "../service/settings";
import { areaPath, cornerPath, crossPath } from "../view/area-paths";
import { byId, make, makeSvg } from "../view/dom";
import type { Controls } from "./controls";
import { Sketch, shapeWords, TOOLS, type Tool } from "./sketch";

/** A picture that can be drawn on: a still one, or a film or camera, whose newest picture is shown. */
export type Ground = ImageBitmap | HTMLVideoElement | null;

/** Side of the largest picture to draw on; larger ones are shown smaller. */
const MOST_PX = 1280;
/** Where there is no picture: most cameras' shape. */
const BLANK_PX = { width: 640, height: 480 };
const REFRESH_MS = 200;
const KEY_STEP = 1;
const KEY_LEAP = 10;

const HINTS: Record<Tool, string> = {
  rectangle: "Drag over what must never be sent, or click two corners.",
  polygon: "Click corner after corner; a double click, or a click on the first corner, ends.",
  region: "Drag over the part that is looked at; the rest is not sent.",
};

const ARROWS: Record<string, Place> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export class AreaDesk {
  private readonly dialog = byId<HTMLDialogElement>("drawing");
  private readonly surface = byId("sketch");
  private readonly canvas = byId<HTMLCanvasElement>("sketch-picture");
  private readonly shapes = document.querySelector("#sketch-shapes") as SVGSVGElement;
  private readonly list = byId("areas");
  private readonly endButton = byId<HTMLButtonElement>("end-polygon");
  private readonly sketch = new Sketch({
    drawn: (tool, shape) => this.drawn(tool, shape),
    said: (words) => this.say(words),
  });
  private ground: Ground = null;
  private refreshing = 0;
  /** The cross is shown once keys have moved it. */
  private crossed = false;

  /** `picture`: what is drawn on, asked for whenever the dialog opens; `released`: it is no longer needed. */
  constructor(
    private readonly controls: Controls,
    private readonly picture: () => Promise<Ground>,
    private readonly released: () => void,
  ) {
    byId("draw").onclick = () => void this.open();
    byId("drawing-done").onclick = () => this.dialog.close();
    this.dialog.onclose = () => this.closed();
    for (const tool of TOOLS) {
      byId<HTMLInputElement>(`tool-${tool}`).onchange = () => {
        this.sketch.take(tool);
        this.show();
      };
    }
    this.endButton.onclick = () => {
      this.sketch.end();
      this.show();
    };
    this.listen();
  }

  private get masks(): Shape[] {
    return parseMasks(this.controls.settings.masks);
  }

  private get region(): Rectangle | null {
    return parseRegion(this.controls.settings.region);
  }

  private async open(): Promise<void> {
    this.say("");
    this.show();
    this.dialog.showModal();
    this.surface.focus();
    this.paint();
    this.ground = await this.picture();
    this.paint();
    window.clearInterval(this.refreshing);
    if (this.ground instanceof HTMLVideoElement) this.refreshing = window.setInterval(() => this.paint(), REFRESH_MS);
    if (!this.dialog.open) this.closed();
  }

  private closed(): void {
    window.clearInterval(this.refreshing);
    if (this.ground instanceof ImageBitmap) this.ground.close();
    this.ground = null;
    this.sketch.drop();
    this.crossed = false;
    this.released();
  }

  private drawn(tool: Tool, shape: Shape): void {
    if (tool === "region") {
      this.say(`The region is ${shapeWords(shape)}.`);
      this.controls.setWindow({ region: shapesText([shape]) });
      return;
    }
    const { masks } = this;
    if (masks.length >= MAX_MASKS) {
      this.say(`There are ${MAX_MASKS} areas already, as many as there can be. Remove one first.`);
      return;
    }
    this.say(`Area ${masks.length + 1}: ${shapeWords(shape)}.`);
    this.controls.setWindow({ masks: shapesText([...masks, shape]) });
  }

  private remove(index: number): void {
    this.say(`Area ${index + 1} is removed.`);
    this.controls.setWindow({ masks: shapesText(this.masks.filter((_, at) => at !== index)) });
    this.show();
    (this.list.querySelectorAll("button")[index] ?? this.surface).focus();
  }

  private say(words: string): void {
    byId("drawing-said").textContent = words;
  }

  private listen(): void {
    const { surface, sketch } = this;
    surface.tabIndex = 0;
    const placeAt = (event: PointerEvent): Place => {
      const { left, top, width, height } = this.canvas.getBoundingClientRect();
      return [((event.clientX - left) / width) * 100, ((event.clientY - top) / height) * 100];
    };
    surface.onpointerdown = (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      surface.setPointerCapture(event.pointerId);
      this.crossed = false;
      sketch.press(placeAt(event));
      this.show();
    };
    surface.onpointermove = (event) => {
      if (!event.isPrimary) return;
      sketch.move(placeAt(event));
      this.drawShapes();
    };
    surface.onpointerup = (event) => {
      if (!event.isPrimary) return;
      sketch.release(placeAt(event));
      this.show();
    };
    surface.onpointercancel = () => {
      sketch.lose();
      this.show();
    };
    surface.ondblclick = () => {
      sketch.endTwice();
      this.show();
    };
    surface.onkeydown = (event) => {
      if (!this.key(event)) return;
      event.preventDefault();
      this.show();
    };
    this.dialog.oncancel = (event) => {
      if (!sketch.begun) return;
      event.preventDefault(); // Escape drops what is begun before it closes
      sketch.drop();
      this.show();
    };
  }

  /** Does what a key says; false for a key that says nothing here. */
  private key({ key, shiftKey }: KeyboardEvent): boolean {
    const { sketch } = this;
    const arrow = ARROWS[key];
    if (arrow !== undefined) {
      const step = shiftKey ? KEY_LEAP : KEY_STEP;
      sketch.move([sketch.at[0] + step * arrow[0], sketch.at[1] + step * arrow[1]]);
      this.say(`${sketch.at[0]}, ${sketch.at[1]}`);
    } else if (key === " ") sketch.corner();
    else if (key === "Enter") sketch.end();
    else if (key === "Backspace") sketch.back();
    else if (key === "Escape" && sketch.begun) sketch.drop();
    else return false;
    this.crossed = true;
    return true;
  }

  private paint(): void {
    const context = this.canvas.getContext("2d");
    if (context === null) return;
    const { ground } = this;
    const film = ground instanceof HTMLVideoElement;
    const natural = film ? { width: ground.videoWidth, height: ground.videoHeight } : (ground ?? BLANK_PX);
    const scale = Math.min(1, MOST_PX / Math.max(natural.width, natural.height));
    const [width, height] = [Math.round(natural.width * scale), Math.round(natural.height * scale)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    if (ground !== null) context.drawImage(ground, 0, 0, width, height);
    else context.clearRect(0, 0, width, height);
    this.canvas.dataset.ground = ground === null ? "none" : "shown";
  }

  private show(): void {
    const { sketch } = this;
    byId("drawing-hint").textContent = HINTS[sketch.tool];
    this.endButton.hidden = !sketch.canEnd;
    this.drawShapes();
    this.listAreas();
  }

  private drawShapes(): void {
    const { sketch, region } = this;
    const { outline } = sketch;
    const path = (kind: string, d: string) => makeSvg("path", { class: kind, d });
    this.shapes.replaceChildren(
      ...(region === null ? [] : [path("sketch-beyond", `M0 0H100V100H0Z${areaPath(region)}`)]),
      ...this.masks.map((mask) => path("sketch-mask", areaPath(mask))),
      ...(outline === null ? [] : [path("sketch-begun", areaPath(outline))]),
      path("sketch-corners", sketch.corners.map(cornerPath).join("")),
      ...(this.crossed ? [path("sketch-cross", crossPath(sketch.at))] : []),
    );
  }

  private listAreas(): void {
    const row = (words: string, label: string, remove: () => void) => {
      const button = make("button", { type: "button", class: "choice", "aria-label": label }, "Remove");
      button.onclick = remove;
      return make("li", {}, make("span", {}, words), button);
    };
    const { region } = this;
    this.list.replaceChildren(
      ...this.masks.map((mask, at) =>
        row(`Area ${at + 1}: ${shapeWords(mask)}`, `Remove area ${at + 1}`, () => this.remove(at)),
      ),
      ...(region === null
        ? []
        : [
            row(`Region: ${shapeWords(region)}`, "Remove the region", () => {
              this.say("The whole picture is looked at.");
              this.controls.setWindow({ region: "" });
              this.show();
              this.surface.focus();
            }),
          ]),
    );
  }
}
