/** What files are: told by their bytes where their names may be anything. */

import { isRecording } from "rascanet-stream";

const SNIFF_BYTES = 16;
const VIDEO = /\.(mp4|m4v|webm|mov|mkv|avi|ogv)$/i;

export interface SortedFiles<F> {
  /** The one film or recording that plays. */
  film: F | null;
  recording: F | null;
  /** Whatever else there is: a file that is no picture says so when it is scanned. */
  pictures: F[];
  /** Films and recordings beyond the first. */
  others: number;
}

/** The part of a File that is looked at. */
export interface Named {
  name: string;
  type: string;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

export async function sortFiles<F extends Named>(files: readonly F[]): Promise<SortedFiles<F>> {
  const sorted: SortedFiles<F> = { film: null, recording: null, pictures: [], others: 0 };
  for (const file of files) {
    const head = new Uint8Array(await file.slice(0, SNIFF_BYTES).arrayBuffer());
    const recording = isRecording(head);
    const film = !recording && (file.type.startsWith("video/") || (file.type === "" && VIDEO.test(file.name)));
    if (!recording && !film) sorted.pictures.push(file);
    else if (sorted.film !== null || sorted.recording !== null) sorted.others += 1;
    else sorted[recording ? "recording" : "film"] = file;
  }
  return sorted;
}
