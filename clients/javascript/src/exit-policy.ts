/**
 * Exit policies: rules that say when to stop reading a frame. A policy is a value, its state an argument.
 *
 * Names, parameters and ranges are in `facts`, which is made from model/exit_policy.py; the rules are written here once
 * more. `tests/vectors/scans.json` holds the two together.
 */

import { facts } from "./facts.js";
import type { Policy } from "./wire.js";

/** A decision is *person* if P(person) is at least this. */
export const PERSON_FROM: number = facts.person_from;

/** An unknown policy, or parameters that the policy can't have. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
}

/** Answer of a policy after a burst: read on, leave out the next burst, or stop. */
export type Ruling = "continue" | "skip_next" | "exit";

/** Numbers known after a burst. */
export interface Seen {
  /** Fraction of the frame's bursts that lie behind, above 0 and up to 1. */
  share: number;
  p_person: number;
  confidence: number;
}

/** Memory of a policy within a frame. */
export type PolicyState = readonly number[];

/** The memory before the first burst. */
export const START: PolicyState = [];

export interface ExitPolicy {
  /** The JSON form, with every parameter. */
  readonly wanted: Policy;
  /** False where the policy never exits and never skips. */
  readonly acts: boolean;
  rule(seen: Seen, state: PolicyState): [Ruling, PolicyState];
}

export type PolicyParameters = Readonly<Record<string, number>>;
type Rule = (seen: Seen, state: PolicyState) => [Ruling, PolicyState];

/** A rule that rests on the last burst alone. */
const exitIf =
  (leaves: (seen: Seen) => boolean): Rule =>
  (seen, state) => [leaves(seen) ? "exit" : "continue", state];

const line = (first: number, last: number, share: number) => first + (last - first) * share;

const perBurst = ({ person_first = 1, person_last = 1, empty_first = 1, empty_last = 1 }: PolicyParameters): Rule =>
  exitIf(
    ({ share, p_person }) =>
      p_person >= line(person_first, person_last, share) || 1 - p_person >= line(empty_first, empty_last, share),
  );

/** Each class of model/exit_policy.py, by its name. Every parameter is there: `parsePolicy` sees to it. */
const RULES: Readonly<Record<string, (parameters: PolicyParameters) => Rule>> = {
  published:
    ({ exit_threshold = 1, skip_threshold = 0 }) =>
    ({ p_person }, state) => {
      if (p_person >= exit_threshold) return ["exit", state];
      return [p_person <= skip_threshold ? "skip_next" : "continue", state];
    },
  never: () => exitIf(() => false),
  two_sided: ({ exit_above = 1, exit_below = 0 }) =>
    exitIf(({ p_person }) => p_person >= exit_above || p_person <= exit_below),
  per_burst: perBurst,
  calibrated: perBurst,
  patience:
    ({ bursts = 1, from_share = 0 }) =>
    ({ share, p_person }, [answer = -1, times = 0]) => {
      const now = Number(p_person >= PERSON_FROM);
      const same = now === answer ? times + 1 : 1;
      return [same >= bursts && share >= from_share ? "exit" : "continue", [now, same]];
    },
  confidence: ({ threshold = 1 }) => exitIf(({ confidence }) => confidence >= threshold),
  sequential:
    ({ evidence = 1, decay = 1 }) =>
    ({ p_person }, [sum = 0]) => {
      const chance = Math.min(Math.max(p_person, 1e-9), 1 - 1e-9);
      const total = decay * sum + Math.log(chance / (1 - chance));
      return [Math.abs(total) >= evidence ? "exit" : "continue", [total]];
    },
  fixed_row: ({ share: wanted = 1 }) => exitIf(({ share }) => share >= wanted),
};

const CALIBRATED = "calibrated";

/** The policies that anybody may ask for, with their defaults; `calibrated` comes beside them for certified weights. */
export const POLICIES: readonly { name: string; parameters: PolicyParameters }[] = facts.policies
  .filter(({ name }) => name !== CALIBRATED)
  .map(({ name, parameters }) => ({ name, parameters: parameters as unknown as PolicyParameters }));

/** A value in a message; numbers that JSON lacks are named too. */
const quoted = (value: unknown) =>
  (typeof value === "string" ? JSON.stringify(value) : Array.isArray(value) ? "a list" : String(value)).slice(0, 40);

/**
 * A policy from its JSON form, `{name, parameters}`; parameters left out have their defaults. Null: the default policy,
 * which is that of the certificate where there is one.
 *
 * `certified`: the policy of the weights' certificate, as `certifiedPolicy` gives it.
 *
 * @throws {PolicyError} an unknown name, or parameters that the named policy can't have.
 */
export function parsePolicy(wanted: Policy | null, certified: Policy | null = null): ExitPolicy {
  const asked = wanted ?? certified ?? { name: "published" };
  if (typeof asked !== "object") throw new PolicyError(`a policy is an object with a name, not ${quoted(asked)}`);
  const { name, ...given } = asked;
  const kind = facts.policies.find((known) => known.name === name);
  const rule = RULES[name];
  if (kind === undefined || rule === undefined) {
    const known = facts.policies.map((each) => each.name).join(", ");
    throw new PolicyError(`the policy ${quoted(name)} is not one of ${known}`);
  }
  if (name === CALIBRATED) return calibrated(given, certified, rule);
  const values: Record<string, number> = { ...(kind.parameters as unknown as PolicyParameters) };
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(values, key)) {
      const known = Object.keys(values).join(", ") || "none";
      throw new PolicyError(`the policy ${quoted(name)} has no parameter ${quoted(key)}; it has ${known}`);
    }
    values[key] = checked(kind.ranges as unknown as Readonly<Record<string, Range>>, key, value);
  }
  const [low, high] = kind.ordered ?? [];
  if (low !== undefined && high !== undefined) {
    const [below, above] = [values[low] as number, values[high] as number];
    if (below >= above) throw new PolicyError(`${low} must be below ${high}, not ${below} and ${above}`);
  }
  return { wanted: { name, ...values }, acts: name !== "never", rule: rule(values) };
}

/** A policy in either form; `parsePolicy` has the errors. */
export function policyOf(policy: Policy | ExitPolicy | null): ExitPolicy {
  const ready = typeof policy === "object" && policy !== null && "rule" in policy;
  return ready ? (policy as ExitPolicy) : parsePolicy(policy);
}

interface Range {
  low: number;
  high: number;
  above_low: boolean;
  whole: boolean;
}

function checked(ranges: Readonly<Record<string, Range>>, key: string, value: unknown): number {
  const { low, high, above_low, whole } = ranges[key] as Range;
  const fits =
    typeof value === "number" &&
    value <= high &&
    (above_low ? value > low : value >= low) &&
    (!whole || Number.isInteger(value));
  if (fits) return value;
  const words = above_low ? `above ${low} and up to ${high}` : `in ${low}..${high}${whole ? " and whole" : ""}`;
  throw new PolicyError(`the parameter ${quoted(key)} must be ${words}, not ${quoted(value)}`);
}

function calibrated(
  given: Record<string, unknown>,
  certified: Policy | null,
  rule: (parameters: PolicyParameters) => Rule,
): ExitPolicy {
  if (certified === null) throw new PolicyError("there is no certificate for these weights");
  for (const [key, value] of Object.entries(given)) {
    if (certified[key] === value) continue;
    throw new PolicyError(
      `the parameter ${quoted(key)} of the policy 'calibrated' comes from the certificate: ` +
        `${quoted(certified[key])}, not ${quoted(value)}`,
    );
  }
  return { wanted: certified, acts: true, rule: rule(certified as unknown as PolicyParameters) };
}

const NUMBERS = ["person_first", "person_last", "empty_first", "empty_last", "risk", "delta"] as const;
/** Which decisions the promise is about, in words in `facts.promises`. */
const NAMES = ["loss", "condition"] as const;

/**
 * The policy `calibrated` of a certificate file, in the form that the service gives it.
 *
 * @throws {PolicyError} a file that is no certificate, or one of other weights.
 */
export function certifiedPolicy(certificate: unknown, weights: string): Policy {
  const said = (typeof certificate === "object" && certificate !== null ? certificate : {}) as Record<string, unknown>;
  const are = (names: readonly string[], type: string) => names.every((name) => typeof said[name] === type);
  if (!are(NUMBERS, "number") || !are([...NAMES, "digest"], "string")) {
    throw new PolicyError("not a certificate, as `rascanet calibrate` writes it");
  }
  if (said.weights !== weights) {
    throw new PolicyError(`the certificate is of the weights ${quoted(said.weights)}, not of ${quoted(weights)}`);
  }
  const values = Object.fromEntries([...NUMBERS, ...NAMES].map((name) => [name, said[name]]));
  return { name: CALIBRATED, ...values, certificate: said.digest };
}
