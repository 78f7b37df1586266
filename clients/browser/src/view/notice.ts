/** What the page says in words: the decision in large, and a line of status with a way on. */

import { ServiceFault } from "../service/service";
import type { Report } from "../worker/messages";
import { byId } from "./dom";

export type Tone = "calm" | "fault";

export interface WayOn {
  label: string;
  go: () => void;
}

/** The way on from a file that is of no use. */
export const chooseAnother: WayOn = {
  label: "Choose another file",
  go: () => byId<HTMLInputElement>("file").click(),
};

/** Into a live region; what stands there already is not announced again. */
function write(region: HTMLElement, text: string): void {
  if (region.textContent !== text) region.textContent = text;
}

export function tell(text: string, tone: Tone = "calm", wayOn?: WayOn): void {
  write(byId("status"), text);
  byId("notice").dataset.tone = tone;
  const button = byId<HTMLButtonElement>("way-on");
  button.hidden = wayOn === undefined;
  button.textContent = wayOn?.label ?? "";
  button.onclick = wayOn?.go ?? null;
}

export function headline(text: string, verdict: "person" | "no-person" | "reading" | "none"): void {
  const decision = byId("decision");
  write(decision, text);
  decision.dataset.verdict = verdict;
}

/** A fault that the worker reports, each kind with its own way on. */
export function tellFault(report: Extract<Report, { kind: "fault" }>, again: () => void): void {
  const { fault, message, code } = report;
  if (fault === "page") {
    console.error(message);
    tell("Something went wrong in this page.", "fault", { label: "Reload the page", go: () => location.reload() });
  } else if (fault === "input") {
    tell(message, "fault", chooseAnother);
  } else if (fault === "refused") {
    void whyRefused().then((words) => tell(words, "fault", { label: "Try again", go: again }));
  } else if (code === "unauthorized") {
    tell(message, "fault", { label: "Reload the page", go: () => location.reload() });
  } else {
    tell(message, "fault", { label: "Try again", go: again });
  }
}

/** A browser does not say why a websocket was refused; whether the server still answers tells the two reasons apart. */
async function whyRefused(): Promise<string> {
  try {
    const answer = await fetch("/healthz", { signal: AbortSignal.timeout(5_000) });
    if (answer.ok) return "The server is there but takes no more streams now; it is probably full. Wait a moment.";
  } catch {
    // it does not answer, which is what was asked
  }
  return "The server can’t be reached. It may have stopped, or the network is down.";
}

/** A fault of something asked over HTTP. */
export function tellServiceFault(error: unknown, again: () => void): void {
  if (!(error instanceof ServiceFault)) throw error;
  tell(error.message, "fault", { label: "Try again", go: again });
}
