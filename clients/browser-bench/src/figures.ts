/** From a report to the figures of its tables; and a report as a part of an address. */

import { FORMAT, type Measured, type Report } from "./measure.js";

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** The other runtime's form with the fewest microseconds a burst. */
export function fastestOther(contenders: readonly Measured[]): Measured | undefined {
  const others = contenders.filter(({ ours, missing }) => !ours && missing === undefined);
  return others.sort((a, b) => median(a.usPerBurst) - median(b.usPerBurst))[0];
}

/** How many times as fast one is as another: the median over the rounds. */
export function timesAsFast(one: readonly number[], other: readonly number[]): number {
  return median(one.map((us, round) => (other[round] as number) / us));
}

const MOST_LINK_CHARACTERS = 20_000;

/** A report as text of letters, digits, - and _. */
export function toText(report: Report): string {
  const bytes = new TextEncoder().encode(JSON.stringify(report, (_, value) => rounded(value)));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function rounded(value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}

function areNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => typeof each === "number" && Number.isFinite(each) && each >= 0);
}

function isMeasured(value: unknown): value is Measured {
  const { name, ours, loadMs, usPerBurst, bytes, missing } = Object(value) as Record<string, unknown>;
  const named = typeof name === "string" && typeof ours === "boolean";
  if (!named || !areNumbers(loadMs) || !areNumbers(usPerBurst) || !areNumbers([bytes])) return false;
  if (missing !== undefined) return typeof missing === "string";
  return loadMs.length > 0 && usPerBurst.length > 0 && usPerBurst.every((us) => us > 0);
}

/** The report of a link; null for anything else. */
export function fromText(text: string): Report | null {
  if (!text || text.length > MOST_LINK_CHARACTERS) return null;
  let report: Report;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
    report = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
  const { format, agent, cores, variants } = Object(report) as Partial<Record<keyof Report, unknown>>;
  if (format !== FORMAT || typeof agent !== "string" || !areNumbers([cores]) || !Array.isArray(variants)) return null;
  const whole = variants.every(
    (each) =>
      typeof each?.variant === "string" &&
      Array.isArray(each.contenders) &&
      each.contenders.every(isMeasured) &&
      sameRounds(each.contenders),
  );
  return whole ? report : null;
}

function sameRounds(contenders: readonly Measured[]): boolean {
  const rounds = contenders.filter(({ missing }) => missing === undefined).map(({ usPerBurst }) => usPerBurst.length);
  return new Set(rounds).size <= 1;
}
