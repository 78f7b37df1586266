/** What was spent and saved, in sentences. Pure. */

import { LINK_BITS_PER_S, linkFrames, type Savings } from "../service/savings";
import { amountWords, counted, percent, timeWords } from "./words";

/** One policy's frame, under the name it has on the page. */
export interface Spent {
  name: string;
  saved: Savings;
}

/** Of all frames so far. */
export function totalWords(total: Savings): string {
  const { frames, persons, exits, rows, rowsSent, bytes, bytesSent, macs, macsFull, readoutMs, readoutFullMs } = total;
  if (frames === 0) return "Nothing streamed yet.";
  const saved = [
    [bytes - bytesSent, amountWords(bytes - bytesSent, "B")],
    [macsFull - macs, `${amountWords(macsFull - macs, "")} multiply-accumulates`],
    [readoutFullMs - readoutMs, `${timeWords(readoutFullMs - readoutMs)} of readout`],
  ].flatMap(([amount, words]) => (Number(amount) > 0 ? [String(words)] : []));
  const list = saved.length > 1 ? `${saved.slice(0, -1).join(", ")} and ${saved.at(-1)}` : saved[0];
  return (
    `${counted(frames, "frame")}, ${persons} with a person, ${counted(exits, "exit")}: ` +
    `${percent(rowsSent / rows)} of the rows sent; ${list === undefined ? "nothing" : list} saved.`
  );
}

/** What that means: frames a second over a slow link; empty before the first frame. */
export function everydayWords(saved: Savings): string {
  if (saved.frames === 0) return "";
  const { whole, sent } = linkFrames(saved);
  const link = `A link of ${LINK_BITS_PER_S / 1e6} Mbit/s carries`;
  const rate = (perSecond: number) => perSecond.toPrecision(2);
  if (rate(sent) === rate(whole)) return `${link} ${rate(whole)} such frames a second.`;
  return `${link} ${rate(sent)} such frames a second instead of ${rate(whole)} whole ones.`;
}

/** Two policies over the same frame; empty for one alone. */
export function comparisonWords([one, other]: readonly Spent[]): string {
  if (one === undefined || other === undefined) return "";
  const needed = ({ saved }: Spent) => saved.rowsSent - saved.rowsLate;
  if (needed(one) === needed(other)) return `${one.name} and ${other.name} needed the same ${needed(one)} rows.`;
  const [less, more] = needed(one) < needed(other) ? [one, other] : [other, one];
  const share = percent(1 - needed(less) / needed(more));
  return `${less.name} needed ${needed(less)} rows, ${share} fewer than ${more.name} with ${needed(more)}.`;
}
