/**
 * Exit policies in words: names, rules, what can be set and from where to where. All of it is in `facts`, which
 * is made from model/exit_policy.py; a policy of a later service shows by its own name.
 */

import { type CertificateWatch, facts } from "rascanet-stream";
import type { Model, Models, PolicyKind } from "./service";

/** What a parameter may be. */
export interface ParameterRange {
  label: string;
  low: number;
  high: number;
  /** `low` itself is not in the range. */
  above_low: boolean;
  /** Only whole numbers. */
  whole: boolean;
}

interface Kind {
  name: string;
  label: string;
  /** The rule; `{parameter}` stands for its value, `{parameter:%}` for a share. */
  sentence: string;
  ranges: Readonly<Record<string, ParameterRange>>;
  /** Two parameters of which the first must be below the second. */
  ordered: readonly string[] | null;
}

const KINDS: ReadonlyMap<string, Kind> = new Map(facts.policies.map((kind): [string, Kind] => [kind.name, kind]));

const plain = (name: string) => name.replaceAll("_", " ");

export function policyLabel(name: string): string {
  return KINDS.get(name)?.label ?? plain(name);
}

/** What certificates promise, by loss and condition. */
const PROMISES: Readonly<Record<string, Readonly<Record<string, string>>>> = facts.promises;

/** The rule of a policy with the values in force. For the policy of a certificate, it has both values and promise. */
export function policyWords(name: string, parameters: Readonly<Record<string, number>>, model: Model): string {
  const certificate = model.calibrated?.name === name ? model.calibrated : null;
  const values: Readonly<Record<string, unknown>> = certificate ?? parameters;
  const filled = (_: string, parameter: string, percent: string | undefined) => {
    const value = values[parameter];
    if (typeof value !== "number") return parameterRange(name, parameter).label;
    return percent ? `${Number((value * 100).toPrecision(3))}\u00a0%` : String(Number(value.toPrecision(6)));
  };
  const promise = certificate && PROMISES[String(certificate.loss)]?.[String(certificate.condition)];
  const sentences = [KINDS.get(name)?.sentence, promise].filter((sentence) => sentence);
  return sentences.join(" ").replaceAll(/\{(\w+)(:%)?\}/g, filled);
}

/** A bound on the share of lost decisions that says nothing. */
const TOO_FEW = 0.5;

/** What audits say about a certificate's promise. */
export function watchWords({ agreed, lost, alpha, risk_upper, alarm }: CertificateWatch): string {
  const audits = agreed + lost;
  if (audits === 0) return "The service watches this promise; no decision was checked yet.";
  const share = (value: number) => `${Number((value * 100).toPrecision(2))}\u00a0%`;
  const counted = `Checked so far: ${audits === 1 ? "1 decision" : `${audits} decisions`}, ${lost} lost`;
  if (alarm) return `${counted}: the promise does not hold for the pictures that come.`;
  if (risk_upper >= TOO_FEW) return `${counted}. These are too few to say more.`;
  return `${counted}. Of all decisions, at most ${share(risk_upper)} are lost, with ${share(1 - alpha)} certainty.`;
}

/** What a parameter of a policy may be; of one that is not known, anything. */
export function parameterRange(policy: string, name: string): ParameterRange {
  const known = KINDS.get(policy)?.ranges[name];
  return (
    known ?? {
      label: plain(name),
      low: Number.NEGATIVE_INFINITY,
      high: Number.POSITIVE_INFINITY,
      above_low: false,
      whole: false,
    }
  );
}

/** The parameter at fault and what to say, where a value or two of them can't be. */
export function contradiction(
  policy: string,
  parameters: Readonly<Record<string, number>>,
): { name: string; words: string } | null {
  for (const [name, value] of Object.entries(parameters)) {
    const { label, low, high, above_low, whole } = parameterRange(policy, name);
    const fits = value <= high && (above_low ? value > low : value >= low) && (!whole || Number.isInteger(value));
    const least = above_low ? `above ${low}, at most` : `from ${low} to`;
    if (!fits) return { name, words: `“${label}” is a ${whole ? "whole " : ""}number ${least} ${high}.` };
  }
  const [lower, upper] = KINDS.get(policy)?.ordered ?? [];
  if (lower === undefined || upper === undefined) return null;
  const [low, high] = [parameters[lower], parameters[upper]];
  if (low === undefined || high === undefined || low < high) return null;
  const [below, above] = [lower, upper].map((name) => parameterRange(policy, name).label);
  return { name: lower, words: `“${below}” must be below “${above}”.` };
}

/** The policies that can be asked for with a network; that of a certificate has nothing to set. */
export function policiesFor(model: Model, offer: Models): PolicyKind[] {
  return model.calibrated ? [...offer.policies, { name: model.calibrated.name, parameters: {} }] : offer.policies;
}
