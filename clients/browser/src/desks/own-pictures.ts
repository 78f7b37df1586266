/** One's own pictures, scanned one after the other, and what the page says of each and of all. */

import { PERSON_FROM, verdictRows } from "rascanet-stream";
import { Batch, type Result } from "../service/batch";
import { byId } from "../view/dom";
import { chipOf, showResults } from "../view/results";
import { MAX_OWN_PICTURES, type Picture, type Pictures } from "./pictures";
import type { Outcome } from "./scan-desk";

export class OwnPictures {
  private readonly batch = new Batch<Picture>();
  private leftOut = 0;

  /** `choose`: scans a picture, in real time or at the pace of the settings. */
  constructor(
    private readonly pictures: Pictures,
    private readonly choose: (picture: Picture, realTime: boolean) => void,
  ) {
    byId("scan-all").onclick = () => this.scan(pictures.own);
  }

  /** Takes files as far as there is room; the pictures they became. */
  add(files: readonly File[]): Picture[] {
    const added = this.pictures.addFiles(files);
    this.leftOut = files.length - added.length;
    this.show();
    return added;
  }

  /** One after the other: in real time, as there may be many, but for the last, which stays. */
  scan(pictures: readonly Picture[]): void {
    this.batch.begin(pictures);
    this.next();
  }

  /** Scans the next picture; false where none waits. */
  next(): boolean {
    const picture = this.batch.next();
    if (picture) this.choose(picture, this.batch.left > 0);
    return picture !== undefined;
  }

  stop(): void {
    this.batch.stop();
  }

  /** Notes what came of a picture, sample or not. */
  note(picture: Picture, outcome: Outcome): void {
    if (outcome.kind === "fault" && outcome.fault.fault !== "input") {
      this.stop(); // it is not the picture's fault, and the next one would fare no better
    } else {
      const result = resultOf(outcome);
      this.batch.add(picture, result);
      this.pictures.label(picture, chipOf(result));
    }
    this.show();
  }

  /** Takes one's own pictures away, with what came of them. */
  remove(): void {
    for (const picture of this.pictures.own) this.batch.drop(picture);
    this.pictures.removeOwn();
    this.leftOut = 0;
    this.show();
  }

  /** Results of other settings say nothing any more. */
  forget(): void {
    for (const picture of this.batch.results.keys()) this.pictures.label(picture, null);
    this.batch.stop();
    this.batch.forget();
    this.show();
  }

  private show(): void {
    const own = new Map([...this.batch.results].filter(([picture]) => !picture.sample));
    const words = `${this.leftOut} more ${this.leftOut === 1 ? "was" : "were"} left out: ${MAX_OWN_PICTURES} at most.`;
    showResults(own, Batch.totals(own.values()), this.leftOut > 0 ? words : "", this.batch.left);
    byId("scan-all").hidden = this.pictures.own.length < 2;
    byId("remove-own").hidden = this.pictures.own.length === 0;
  }
}

function resultOf(outcome: Outcome): Result {
  if (outcome.kind === "fault") return { kind: "failed" };
  const { lane, full } = outcome;
  const { curve, verdict } = lane;
  if (verdict === null) return { kind: "failed" };
  const { person, p_person, exited, processed } = verdict;
  const whole = full.points.at(-1);
  return {
    kind: "decided",
    person,
    p_person,
    exited,
    rows: verdictRows(curve, verdict),
    notNeeded: 1 - processed / curve.burstsPerFrame,
    agrees: whole === undefined || whole.p_person >= PERSON_FROM === person,
  };
}
