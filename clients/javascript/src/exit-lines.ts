/**
 * Where a policy exits or skips, as lines of P(person) over the rows: what the plot draws, and what a curve read
 * without exit is held against. `tests/vectors/exit_lines.json` holds this file and model/exit_policy.py together.
 */

import type { Point } from "./curve.js";

/** `exit`: a person, at the line or above; `empty`: nobody, at the line or below; `skip`: the next burst is left out. */
export type LineKind = "exit" | "empty" | "skip";

export interface ExitLine {
  kind: LineKind;
  /** The parameter that is the line's height everywhere; null for a line of more than one. */
  parameter: string | null;
  /** P(person) at a share of the frame, 0..1; outside 0..1 where there is no exit yet. */
  at(share: number): number;
  /** Whether P(person) after a share of the frame has reached the line. */
  met(p_person: number, share: number): boolean;
}

/** The lines of a policy with these parameters; those of a certificate's policy are in the certificate. */
export function exitLines(parameters: Readonly<Record<string, unknown>>): ExitLine[] {
  const value = (name: string): number | undefined => {
    const given = parameters[name];
    return typeof given === "number" ? given : undefined;
  };
  const lines: ExitLine[] = [];
  const level = (kind: LineKind, parameter: string) => {
    const height = value(parameter);
    if (height === undefined) return;
    const met = (p: number) => (kind === "exit" ? p >= height : p <= height);
    lines.push({ kind, parameter, at: () => height, met });
  };
  level("exit", "exit_threshold");
  level("exit", "exit_above");
  level("empty", "exit_below");
  level("skip", "skip_threshold");
  const slope = (kind: "exit" | "empty", first: number | undefined, last: number | undefined) => {
    if (first === undefined || last === undefined) return;
    // The arithmetic of PerBurstPolicy, step by step: a tie must fall the same way here.
    const wanted = (share: number) => first + (last - first) * share;
    lines.push({
      kind,
      parameter: null,
      at: (share) => (kind === "exit" ? wanted(share) : 1 - wanted(share)),
      met: (p, share) => (kind === "exit" ? p : 1 - p) >= wanted(share),
    });
  };
  slope("exit", value("person_first"), value("person_last"));
  slope("empty", value("empty_first"), value("empty_last"));
  return lines;
}

/** Policies whose exits are their lines and nothing else, so that a curve read without exit tells them. */
const TOLD_BY_LINES: ReadonlySet<string> = new Set(["published", "two_sided", "per_burst", "calibrated"]);

export function toldByLines(policy: string): boolean {
  return TOLD_BY_LINES.has(policy);
}

/** Whether a policy with these lines exits at a point of a curve. */
export function exitsAt(lines: readonly ExitLine[], { burst, p_person }: Point, burstsPerFrame: number): boolean {
  const share = (burst + 1) / burstsPerFrame;
  return lines.some((line) => line.kind !== "skip" && line.met(p_person, share));
}
