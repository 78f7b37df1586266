/** What came of one's own pictures: a sentence of totals, and a table of them all. */

import type { BatchTotals, Result } from "../service/batch";
import { byId, makeTable } from "./dom";
import { counted, percent, probabilityWords } from "./words";

/** What a thumbnail says of its picture. */
export interface Chip {
  words: string;
  kind: "person" | "no-person" | "fault";
}

export function chipOf(result: Result): Chip {
  if (result.kind === "failed") return { words: "can’t be read", kind: "fault" };
  const { person, rows, exited, notNeeded } = result;
  const where = exited
    ? `row ${rows} · ${percent(notNeeded)} not needed`
    : notNeeded > 0
      ? `${percent(notNeeded)} not needed`
      : "read whole";
  return { words: `${person ? "Person" : "No person"} · ${where}`, kind: person ? "person" : "no-person" };
}

export function totalsWords({ decided, failed, persons, exits, agreeing, notNeeded }: BatchTotals): string {
  if (decided + failed === 0) return "";
  const unread = failed > 0 ? `; ${failed} could not be read` : "";
  if (decided === 0) return `No picture could be read${failed > 1 ? `, of ${failed}` : ""}.`;
  return (
    `${counted(decided, "picture")}: ${persons} with a person, ${counted(exits, "exit")}, ` +
    `${percent(notNeeded)} of the rows not needed on average; ${agreeing} of ${decided} as the whole frame says${unread}.`
  );
}

/** Shows the results, or nothing where there is at most one and none was left out. */
export function showResults(
  results: ReadonlyMap<{ name: string }, Result>,
  totals: BatchTotals,
  leftOut: string,
  waiting: number,
): void {
  byId("results").hidden = results.size < 2 && leftOut === "";
  byId("results-words").textContent = totalsWords(totals);
  byId("left-out").textContent = leftOut;
  byId("left-out").hidden = leftOut === "";
  byId("results-waiting").textContent = waiting > 0 ? `${waiting} to go.` : "";
  const rows = [...results].map(([{ name }, result]) =>
    result.kind === "failed"
      ? [name, "can’t be read", "", "", "", ""]
      : [
          name,
          result.person ? "person" : "no person",
          probabilityWords(result.p_person),
          result.exited ? `exit at row ${result.rows}` : "to the end",
          percent(result.notNeeded),
          result.agrees ? "the same" : "otherwise",
        ],
  );
  const head = ["picture", "decision", "P(person)", "read", "not needed", "the whole frame says"];
  byId("results-table").replaceChildren(makeTable("Your pictures", head, rows));
}
