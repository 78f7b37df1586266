/** What the lines of a plot are, in words: for the page and for the picture that is saved. Pure. */

import type { ExitLine, LineKind } from "../service/exit-lines";
import { probabilityWords } from "./words";

export type Swatch = "p" | "confidence" | "beyond" | LineKind;

export interface LegendEntry {
  swatch: Swatch;
  words: string;
  value: string;
}

const LINE_WORDS: Record<LineKind, string> = {
  exit: "exit: person, at or above",
  empty: "exit: nobody, at or below",
  skip: "skip, at or below",
};

/** Height of a line: one number, or that before the first row and that after the last. */
function heightWords(line: ExitLine): string {
  const words = (value: number) => (value < 0 || value > 1 ? "never" : String(Number(value.toFixed(3))));
  const [first, last] = [line.at(0), line.at(1)].map(words);
  return line.parameter === null ? `${first} → ${last}` : String(line.at(0));
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
