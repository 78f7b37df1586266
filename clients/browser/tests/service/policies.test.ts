import { facts, PERSON_FROM } from "rascanet-stream";
import { describe, expect, it } from "vitest";
import {
  contradiction,
  parameterRange,
  policiesFor,
  policyLabel,
  policyWords,
  watchWords,
} from "../../src/service/policies";
import type { Model } from "../../src/service/service";

const model: Model = {
  variant: "105x120",
  height: 105,
  width: 120,
  burst_rows: 5,
  bursts_per_frame: 21,
  weights: "ab",
  calibrated: null,
  stream_policy: "published",
};
const calibrated = {
  name: "calibrated",
  person_first: 0.95,
  person_last: 0.55,
  empty_first: 1.35,
  empty_last: 0.6,
  loss: "disagreement",
  condition: "marginal",
  risk: 0.05,
  delta: 0.1,
  certificate: "c",
};
const offer = { models: [model], policies: [{ name: "never", parameters: {} }] };
const promises = Object.entries(facts.promises).flatMap(([loss, sentences]) =>
  Object.entries(sentences).map(([condition, sentence]) => ({ loss, condition, sentence })),
);
/** Every policy there is, with its defaults; what there is comes from the service's own code. */
const kinds = facts.policies.map(({ name, label, parameters, ranges, ordered }) => {
  const values: Record<string, number> = { ...parameters };
  return { name, label, values, ranges: Object.entries<{ low: number; high: number }>(ranges), ordered };
});

describe("policies", () => {
  it("of a certificate are offered with the weights that have one", () => {
    expect(policiesFor(model, offer).map(({ name }) => name)).toEqual(["never"]);
    const certified = policiesFor({ ...model, calibrated }, offer);
    expect(certified).toEqual([...offer.policies, { name: "calibrated", parameters: {} }]);
  });

  it.each(kinds)("say their rule with the values in force: $name", ({ name, label, values, ranges }) => {
    const words = policyWords(name, values, { ...model, calibrated });
    expect(words).not.toMatch(/NaN|undefined|null|[{}]/);
    expect(policyLabel(name)).toBe(label);
    expect(label).not.toBe(name);
    const given: Record<string, unknown> = name === "calibrated" ? calibrated : values;
    for (const [parameter] of ranges) {
      const value = Number(given[parameter]);
      expect([`${value}`, `${value * 100}\u00a0%`].some((shown) => words.includes(shown))).toBe(true);
    }
  });

  it("say the thresholds of a certificate", () => {
    const words = policyWords("calibrated", {}, { ...model, calibrated });
    expect(words).toContain("from 0.95 at the first row to 0.55 at the last");
  });

  it.each(promises)("say what a certificate of $loss, $condition promises", ({ loss, condition, sentence }) => {
    const words = policyWords("calibrated", {}, { ...model, calibrated: { ...calibrated, loss, condition } });
    const filled = sentence.replace("{risk:%}", "5\u00a0%").replace("{delta:%}", "10\u00a0%");
    expect(words).toMatch(/certificate\. Exits .* at most 5\u00a0% of the decisions.* is 10\u00a0%\.$/);
    expect(words.endsWith(` ${filled}`)).toBe(true);
  });

  it("say no promise that the page does not know", () => {
    const unknown = { ...calibrated, loss: "of_a_later_service" };
    expect(policyWords("calibrated", {}, { ...model, calibrated: unknown })).toMatch(/come from a certificate\.$/);
  });

  it("say how a certificate's promise fares", () => {
    const watch = {
      agreed: 0,
      lost: 0,
      unsent: 3,
      interrupted: 1,
      alpha: 0.01,
      log10_evidence: 0,
      risk_upper: 1,
      alarm: false,
    };
    expect(watchWords(watch)).toContain("no decision was checked yet");
    const words = watchWords({ ...watch, agreed: 403, lost: 9, risk_upper: 0.0567 });
    expect(words).toBe(
      "Checked so far: 412 decisions, 9 lost. Of all decisions, at most 5.7\u00a0% are lost, with 99\u00a0% certainty.",
    );
    expect(watchWords({ ...watch, agreed: 1 })).toBe(
      "Checked so far: 1 decision, 0 lost. These are too few to say more.",
    );
    expect(watchWords({ ...watch, lost: 1, alarm: true })).toContain("1 decision, 1 lost: the promise does not hold");
  });

  it.each(kinds)("take their defaults and refuse what the service refuses: $name", ({ name, values, ranges }) => {
    expect(contradiction(name, values)).toBeNull();
    for (const [parameter, { low, high }] of ranges) {
      expect(parameterRange(name, parameter).label).not.toBe(parameter);
      for (const wrong of [low - 1e-9, high + 1e-9, Number.NaN]) {
        expect(contradiction(name, { ...values, [parameter]: wrong })?.name).toBe(parameter);
      }
    }
  });

  it.each(kinds.filter(({ ordered }) => ordered))("tell parameters that contradict each other: $name", (kind) => {
    const [lower, upper] = kind.ordered as [string, string];
    for (const low of [0.4, 0.5]) {
      const found = contradiction(kind.name, { ...kind.values, [lower]: low, [upper]: 0.4 });
      expect(found?.name).toBe(lower);
      expect(found?.words).toContain("must be below");
    }
  });

  it("know ends that are not in the range, and whole numbers", () => {
    expect(contradiction("sequential", { evidence: 0 })?.words).toBe("“Evidence” is a number above 0, at most 1000.");
    expect(contradiction("patience", { bursts: 2.5 })?.words).toContain("whole number from 1 to 65535");
  });

  it("share one threshold for a person with the service", () => {
    expect(PERSON_FROM).toBe(facts.person_from);
  });

  it("unknown to the page show by their own names", () => {
    const label = parameterRange("brand_new", "some_share").label;
    expect([policyLabel("brand_new"), label, policyWords("brand_new", {}, model)]).toEqual([
      "brand new",
      "some share",
      "",
    ]);
    expect(contradiction("brand_new", { some_share: -7 })).toBeNull();
  });
});
