/** What the page says in words: the decision in large, and a line of status with a way on. */

import { ServiceFault, TokenFault, whyRefused } from "../service/service";
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
  const { fault, message } = report;
  if (fault === "page") {
    console.error(message);
    tell("Something went wrong in this page.", "fault", reload("Reload the page"));
  } else if (fault === "input") {
    tell(message, "fault", chooseAnother);
  } else if (fault === "refused") {
    void whyRefused().then((why) => tellServiceFault(why, again));
  } else {
    tell(message, "fault", { label: "Try again", go: again });
  }
}

const reload = (label: string): WayOn => ({ label, go: () => location.reload() });

/** A fault of something asked over HTTP. */
export function tellServiceFault(error: unknown, again: () => void): void {
  if (!(error instanceof ServiceFault)) throw error;
  // The page asks for a token when it is loaded.
  tell(
    error.message,
    "fault",
    error instanceof TokenFault ? reload("Enter a token") : { label: "Try again", go: again },
  );
}
