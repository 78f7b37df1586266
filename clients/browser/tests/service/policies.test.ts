import { describe, expect, it } from "vitest";
import { contradiction, parameterLabel, policiesFor, policyLabel, policyWords } from "../../src/service/policies";
import type { Model } from "../../src/service/service";

const model: Model = {
  variant: "105x120",
  height: 105,
  width: 120,
  burst_rows: 5,
  bursts_per_frame: 21,
  weights: "ab",
  calibrated: null,
};
const calibrated = { name: "calibrated", exit_above: 0.66, exit_below: 0.17, risk: 0.05, delta: 0.1, certificate: "c" };
const offer = { models: [model], policies: [{ name: "never", parameters: {} }] };

describe("policies", () => {
  it("of a certificate are offered with the weights that have one", () => {
    expect(policiesFor(model, offer).map(({ name }) => name)).toEqual(["never"]);
    const certified = policiesFor({ ...model, calibrated }, offer);
    expect(certified).toEqual([...offer.policies, { name: "calibrated", parameters: {} }]);
  });

  it("say what a certificate promises", () => {
    const words = policyWords("calibrated", { ...model, calibrated });
    expect(words).toBe("Stops at P(person) ≥ 0.660 or ≤ 0.170: at most 5 % lost, with 90 % certainty.");
  });

  it("unknown to the page show by their own names", () => {
    expect([policyLabel("brand_new"), parameterLabel("some_share"), policyWords("brand_new", model)]).toEqual([
      "brand new",
      "some share",
      "",
    ]);
  });

  it("tell parameters that contradict each other", () => {
    expect(contradiction({ exit_threshold: 0.5, skip_threshold: 0.1 })).toBeNull();
    expect(contradiction({ exit_threshold: 0.5, skip_threshold: 0.5 })?.name).toBe("skip_threshold");
    expect(contradiction({ exit_above: 0.2, exit_below: 0.3 })?.name).toBe("exit_below");
    expect(contradiction({ share: 0.5 })).toBeNull();
  });
});
