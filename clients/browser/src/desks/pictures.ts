/** The pictures to choose from: the server's samples and one's own, dropped, pasted or picked. */

import { fetchPhoto, type Sample } from "../service/service";
import { byId, make } from "../view/dom";

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
  private chosen: Picture | null = null;

  constructor(private readonly onChoose: (picture: Picture) => void) {}

  addSamples(samples: Sample[]): void {
    for (const sample of samples) {
      const image = make("img", { src: sample.url, alt: "", loading: "lazy" });
      this.add({ name: sample.name, sample: true, open: () => fetchPhoto(sample) }, image);
    }
    byId("no-samples").hidden = samples.length > 0;
  }

  /** Adds files; those beyond the limit are left out. The pictures added. */
  addFiles(files: readonly File[]): Picture[] {
    const room = MAX_OWN_PICTURES - this.all.filter(({ sample }) => !sample).length;
    return files.slice(0, Math.max(0, room)).map((file) => {
      const canvas = make("canvas", { width: THUMB_PX, height: THUMB_PX * 0.875, "aria-hidden": "true" });
      void thumbnail(file, canvas);
      return this.add(
        { name: file.name || "pasted picture", sample: false, open: () => Promise.resolve(file) },
        canvas,
      );
    });
  }

  named(name: string): Picture | undefined {
    return this.all.find((picture) => picture.sample && picture.name === name);
  }

  mark(chosen: Picture | null): void {
    this.chosen = chosen;
    for (const [index, button] of [...this.list.querySelectorAll("button")].entries()) {
      button.setAttribute("aria-pressed", String(this.all[index] === chosen));
    }
  }

  private add(picture: Picture, image: HTMLElement): Picture {
    const attributes = { type: "button", class: "sample", "aria-pressed": String(picture === this.chosen) };
    const button = make("button", attributes, image, make("span", {}, picture.name));
    button.dataset[picture.sample ? "sample" : "own"] = picture.name;
    button.onclick = () => this.onChoose(picture);
    this.all.push(picture);
    this.list.append(make("li", {}, button));
    return picture;
  }
}

async function thumbnail(file: Blob, canvas: HTMLCanvasElement): Promise<void> {
  try {
    const picture = await createImageBitmap(file);
    const scale = Math.max(canvas.width / picture.width, canvas.height / picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    const context = canvas.getContext("2d");
    context?.drawImage(picture, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
    picture.close();
  } catch {
    // no picture: choosing it says so
  }
}

/** Hears of files that are dropped anywhere, pasted, or picked with the field. */
export function listenForFiles(heard: (files: File[]) => void): void {
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
    heard([...(event.dataTransfer?.files ?? [])]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) heard(files);
  });
}
