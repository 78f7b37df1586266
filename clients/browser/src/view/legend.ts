/** What the lines of a plot are, in words: for the page and for the picture that is saved. Pure. */

import type { ExitLine, LineKind } from "rascanet-stream";
import { percent, probabilityWords } from "./words";

export type Swatch = "p" | "confidence" | "beyond" | LineKind;

export interface LegendEntry {
  swatch: Swatch;
  words: string;
  value: string;
}

const LINE_WORDS: Record<LineKind, string> = {
  exit: "exit: person, at or above",
  empty: "exit: no person, at or below",
  skip: "skip, at or below",
};

/** Height of a line: one number, or where a line that falls or rises begins and ends. */
function heightWords(line: ExitLine): string {
  const words = (value: number) => String(Number(value.toFixed(3)));
  if (line.parameter !== null) return String(line.at(0));
  const [first, last] = [line.at(0), line.at(1)];
  const reached = Math.min(1, Math.max(0, first));
  if (first === reached) return `${words(first)} → ${words(last)}`;
  const from = (reached - first) / (last - first);
  // Before that it asks for more than there can be.
  return from > 0 && from <= 1 ? `${words(reached)} → ${words(last)}, from ${percent(from)} of the rows on` : "never";
}

/**
 * The entries of a plot's legend. `beyond`: P(person) at the last row had the scan gone on, null where nothing shows;
 * `whole`: it is of the frame read without skips.
 */
export function legendOf(
  lines: readonly ExitLine[],
  point: { p_person: number; confidence: number } | undefined,
  beyond: number | null,
  whole: boolean,
): LegendEntry[] {
  const value = (p: number | undefined) => (p === undefined ? "–" : probabilityWords(p));
  return [
    { swatch: "p", words: "P(person)", value: value(point?.p_person) },
    { swatch: "confidence", words: "confidence that the decision stays", value: value(point?.confidence) },
    ...(beyond === null
      ? []
      : [
          {
            swatch: "beyond" as const,
            words: whole ? "had every row been read" : "had it been read on",
            value: probabilityWords(beyond),
          },
        ]),
    ...lines.map((line) => ({ swatch: line.kind, words: LINE_WORDS[line.kind], value: heightWords(line) })),
  ];
}
