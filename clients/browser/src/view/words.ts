/** Figures and decisions in words. */

import { type Curve, PERSON_FROM, type Verdict, verdictRows } from "rascanet-stream";

export function decisionWords(curve: Curve, verdict: Verdict): string {
  const person = verdict.person ? "Person" : "No person";
  if (!verdict.exited) return `${person} — read to the end`;
  const rows = verdictRows(curve, verdict);
  const all = curve.burstsPerFrame * curve.burstRows;
  return `${person} — decided after ${rows} of ${all} rows (${percent(rows / all)})`;
}

/** What the decision rests on, beside the decision itself; `rowsSent`: where it was streamed. */
export function detailWords(curve: Curve, verdict: Verdict, rowsSent = 0): string {
  const p = probabilityWords(verdict.p_person);
  const skipped = verdict.skipped > 0 ? `; ${verdict.skipped} of ${curve.burstsPerFrame} bursts skipped` : "";
  if (!verdict.exited) return `P(person) came to ${p} at the last row${skipped}.`;
  const unread = verdict.unread * curve.burstRows;
  const late = Math.min(unread, rowsSent - verdict.processed * curve.burstRows);
  const sent = late > 0 ? `, ${late === unread ? "though they" : `though ${late} of them`} ${SENT_LATE}` : "";
  const burst = `burst ${verdict.burst_index + 1} of ${curve.burstsPerFrame}`;
  return `P(person) came to ${p} at ${burst}; the remaining ${unread} rows are not needed${sent}${skipped}.`;
}

/** Said of rows that a decision did not need and that went out all the same. */
export const SENT_LATE = "were sent before the answer came back";

/** What the whole frame says, read without exit, and whether the verdict agrees with it. */
export function fullFrameWords(full: Curve, verdict: Verdict): string {
  const last = full.points.at(-1);
  if (last === undefined) return "";
  // A frame that was read whole agrees with itself.
  if (!verdict.exited && verdict.skipped === 0) return "Every row was read: nothing was left out.";
  const person = last.p_person >= PERSON_FROM;
  const agrees = person === verdict.person ? "it agrees" : "it disagrees";
  const p = probabilityWords(last.p_person);
  return `What the full frame says: ${person ? "person" : "no person"}, P(person) ${p}; ${agrees}.`;
}

/** What a picture of another shape comes to at the network; empty where the shape is the network's. */
export function aspectWords(aspect: number, width: number, height: number): string {
  const change = aspect / (width / height);
  if (Math.abs(change - 1) < 0.03) return "";
  const squeezed = change > 1 ? "from the sides" : "from top and bottom";
  return `Shown in the picture’s own shape. The network gets ${width} × ${height} pixels, squeezed ${squeezed}.`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

const UNITS = ["", "k", "M", "G", "T"];

/** Three digits and a unit; k = 1,000. */
export function amountWords(amount: number, unit: string): string {
  let power = 0;
  let value = amount;
  while (Math.abs(value) >= 999.5 && power < UNITS.length - 1) {
    value /= 1000;
    power += 1;
  }
  const digits = power === 0 ? Math.round(value).toString() : value.toPrecision(3);
  return `${digits} ${UNITS[power]}${unit}`.trim();
}

export function timeWords(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms >= 10) return `${ms.toFixed(1)} ms`;
  if (ms >= 1 || ms === 0) return `${ms.toFixed(2)} ms`;
  return `${Math.round(ms * 1000)} µs`;
}

/** "1 frame", "2 frames". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A line time. */
export function microsecondsWords(us: number): string {
  return us >= 1000 ? `${Number((us / 1000).toPrecision(3))} ms` : `${Number(us.toPrecision(3))} µs`;
}

/** P(person) as far as its digits mean something; never 1.000 or 0.000 where it is neither. */
export function probabilityWords(p: number): string {
  if (p > 0 && p < 0.001) return "< 0.001";
  if (p < 1 && p > 0.999) return "> 0.999";
  return p.toFixed(3);
}
