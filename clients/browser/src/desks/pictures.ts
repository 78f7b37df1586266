/** The pictures to choose from: the server's samples and one's own, dropped, pasted or picked. */

import { fetchPhoto, type Sample, ServiceFault } from "../service/service";
import { byId, make } from "../view/dom";
import type { Chip } from "../view/results";
import { uprightBitmap } from "../worker/photo";

export interface Picture {
  name: string;
  /** A sample has an address that can be shared. */
  sample: boolean;
  open(): Promise<Blob>;
}

export const MAX_OWN_PICTURES = 64;
const THUMB_PX = 160;

export class Pictures {
  readonly all: Picture[] = [];
  private readonly list = byId("samples");
  private readonly buttons = new Map<Picture, HTMLButtonElement>();
  /** One thumbnail is made at a time: pictures may be large, and many. */
  private thumbnails: Promise<void> = Promise.resolve();

  constructor(private readonly onChoose: (picture: Picture) => void) {}

  get own(): Picture[] {
    return this.all.filter(({ sample }) => !sample);
  }

  addSamples(samples: Sample[]): void {
    for (const sample of samples) this.add({ name: sample.name, sample: true, open: () => fetchPhoto(sample) });
    byId("no-samples").hidden = samples.length > 0;
  }

  /** Adds files; those beyond the limit are left out. The pictures added. */
  addFiles(files: readonly File[]): Picture[] {
    const room = MAX_OWN_PICTURES - this.own.length;
    return files
      .slice(0, Math.max(0, room))
      .map((file) => this.add({ name: file.name || "pasted picture", sample: false, open: async () => file }));
  }

  /** Takes one's own pictures out of the list. */
  removeOwn(): void {
    for (const picture of this.own) {
      this.buttons.get(picture)?.closest("li")?.remove();
      this.buttons.delete(picture);
      this.all.splice(this.all.indexOf(picture), 1);
    }
  }

  named(name: string): Picture | undefined {
    return this.all.find((picture) => picture.sample && picture.name === name);
  }

  mark(chosen: Picture | null): void {
    for (const [picture, button] of this.buttons) {
      button.setAttribute("aria-pressed", String(picture === chosen));
      if (picture === chosen) this.show(button);
    }
  }

  /** Says on a picture's thumbnail how it fared; null takes that back. */
  label(picture: Picture, chip: Chip | null): void {
    const button = this.buttons.get(picture);
    const label = button?.querySelector<HTMLElement>(".chip");
    if (!button || !label) return;
    label.hidden = chip === null;
    label.textContent = chip?.words ?? "";
    label.dataset.kind = chip?.kind ?? "";
    if (button.getAttribute("aria-pressed") === "true") this.show(button); // it has grown
  }

  /** Scrolls the list, and nothing else, until a thumbnail is seen. */
  private show(button: HTMLElement): void {
    const [inner, outer] = [button.getBoundingClientRect(), this.list.getBoundingClientRect()];
    if (inner.top < outer.top) this.list.scrollTop -= outer.top - inner.top;
    else if (inner.bottom > outer.bottom) this.list.scrollTop += inner.bottom - outer.bottom;
    if (inner.left < outer.left) this.list.scrollLeft -= outer.left - inner.left;
    else if (inner.right > outer.right) this.list.scrollLeft += inner.right - outer.right;
  }

  private add(picture: Picture): Picture {
    const canvas = make("canvas", { width: THUMB_PX, height: THUMB_PX * 0.875, "aria-hidden": "true" });
    const label = make("span", { class: "chip", hidden: true });
    const name = make("span", { class: "sample-name" }, picture.name);
    const button = make("button", { type: "button", class: "sample", "aria-pressed": "false" }, canvas, name, label);
    button.dataset[picture.sample ? "sample" : "own"] = picture.name;
    button.title = picture.name;
    button.onclick = () => this.onChoose(picture);
    this.all.push(picture);
    this.buttons.set(picture, button);
    this.list.append(make("li", {}, button));
    this.thumbnails = this.thumbnails.then(() => thumbnail(picture, canvas));
    return picture;
  }
}

/** A picture as it is shown; null for none, or none to be had now: choosing it says so. */
export async function uprightPicture(picture: Picture): Promise<ImageBitmap | null> {
  try {
    return await uprightBitmap(await picture.open());
  } catch (error) {
    if (error instanceof ServiceFault || error instanceof DOMException) return null;
    throw error;
  }
}

async function thumbnail(picture: Picture, canvas: HTMLCanvasElement): Promise<void> {
  const bitmap = await uprightPicture(picture);
  if (bitmap === null) return;
  const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const context = canvas.getContext("2d");
  context?.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  bitmap.close();
}

export interface DropListener {
  files(files: File[]): void;
  /** Something else was dropped, such as a picture of another page: an address, and no file. */
  address(): void;
}

/** Hears of what is dropped anywhere, pasted, or picked with the field. */
export function listenForFiles({ files: heard, address }: DropListener): void {
  const input = byId<HTMLInputElement>("file");
  input.onchange = () => {
    heard([...(input.files ?? [])]);
    input.value = ""; // the same file can be chosen again
  };
  let depth = 0;
  const dragging = (change: number) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dragging", depth > 0);
  };
  document.addEventListener("dragenter", () => dragging(1));
  document.addEventListener("dragleave", () => dragging(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    dragging(-depth);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) heard(files);
    else address();
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) heard(files);
  });
}
