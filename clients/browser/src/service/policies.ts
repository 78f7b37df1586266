/** Exit policies in words: names, what they do, what can be set. One that is not listed here shows by its own name. */

import type { Model, Models, PolicyKind } from "./service";

const LABELS: Record<string, string> = {
  published: "Published rule",
  never: "Never exit",
  two_sided: "Two-sided",
  per_burst: "Less sure, later",
  patience: "Patience",
  confidence: "Own confidence",
  sequential: "Summed evidence",
  fixed_row: "Fixed row",
  calibrated: "Calibrated",
};

const WORDS: Record<string, string> = {
  published: "Stops once a person is likely enough; leaves out the next burst where one is very unlikely.",
  never: "Reads every frame to its end.",
  two_sided: "Stops once a person is likely, or unlikely, enough.",
  per_burst: "Stops once sure enough; what is asked for falls from the first row to the last.",
  patience: "Stops once the answer stayed the same for some bursts.",
  confidence: "Stops once the network believes that its answer is final.",
  sequential: "Stops once the evidence of all bursts, older ones fading, is large.",
  fixed_row: "Stops at the same row in every frame.",
};

const PARAMETERS: Record<string, string> = {
  exit_threshold: "Exit at P(person)\u00a0≥",
  skip_threshold: "Skip at P(person)\u00a0≤",
  exit_above: "Exit at P(person)\u00a0≥",
  exit_below: "Exit at P(person)\u00a0≤",
  sure_first: "Sure at the first row",
  sure_last: "Sure at the last row",
  bursts: "Bursts of one mind",
  from_share: "From this share on",
  threshold: "Exit at confidence\u00a0≥",
  evidence: "Evidence",
  decay: "Kept per burst",
  share: "Share of the frame",
};

/** Parameters in 0..1, so that the form can refuse others. */
const SHARES: ReadonlySet<string> = new Set(
  Object.keys(PARAMETERS).filter((name) => name !== "bursts" && name !== "evidence"),
);

/** Pairs of parameters of one policy of which the first must be below the second, and what to say if it is not. */
const ORDERED = [
  ["skip_threshold", "exit_threshold", "The skip threshold must be below the exit threshold."],
  ["exit_below", "exit_above", "The lower threshold must be below the upper one."],
] as const;

export function policyLabel(name: string): string {
  return LABELS[name] ?? name.replaceAll("_", " ");
}

/** What a policy does, in a sentence; that of a certificate says what it promises. */
export function policyWords(name: string, model: Model): string {
  const { calibrated } = model;
  if (calibrated?.name !== name) return WORDS[name] ?? "";
  const percent = (share: unknown) => `${Number((Number(share) * 100).toPrecision(3))} %`;
  const { exit_above: above, exit_below: below, risk, delta } = calibrated;
  return (
    `Stops at P(person) ≥ ${Number(above).toFixed(3)} or ≤ ${Number(below).toFixed(3)}: ` +
    `at most ${percent(risk)} lost, with ${percent(1 - Number(delta))} certainty.`
  );
}

export function parameterLabel(name: string): string {
  return PARAMETERS[name] ?? name.replaceAll("_", " ");
}

export function isShare(name: string): boolean {
  return SHARES.has(name);
}

/** The parameter at fault and what to say, where two contradict each other. */
export function contradiction(parameters: Record<string, number>): { name: string; words: string } | null {
  for (const [lower, upper, words] of ORDERED) {
    const [low, high] = [parameters[lower], parameters[upper]];
    if (low !== undefined && high !== undefined && low >= high) return { name: lower, words };
  }
  return null;
}

/** The policies that can be asked for with a network; that of a certificate has nothing to set. */
export function policiesFor(model: Model, offer: Models): PolicyKind[] {
  return model.calibrated ? [...offer.policies, { name: model.calibrated.name, parameters: {} }] : offer.policies;
}
