import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { certifiedPolicy, PolicyError, parsePolicy, policyOf } from "../src/exit-policy.js";
import { facts } from "../src/facts.js";
import { decisionOf, FrameScan } from "../src/scan.js";
import type { Policy } from "../src/wire.js";

interface Scanned {
  burst_index: number;
  skips: number[];
}

/** What Python's policies make of curves (tests/vectors/make_scans.py). */
const vectors = JSON.parse(readFileSync(new URL("../../../tests/vectors/scans.json", import.meta.url), "utf8")) as {
  certified: Policy;
  curves: [number, number][][];
  policies: { wanted: Policy; policy: Policy; scans: Scanned[] }[];
};

describe("every policy", () => {
  it("is in the vectors", () => {
    const covered = new Set(vectors.policies.map(({ wanted }) => wanted.name));
    expect([...covered].sort()).toEqual(facts.policies.map(({ name }) => name).sort());
  });

  it.each(vectors.policies)("exits and skips where Python does: $wanted", ({ wanted, policy, scans }) => {
    const parsed = parsePolicy(wanted, vectors.certified);
    expect(parsed.wanted).toEqual(policy);
    expect(scans).toHaveLength(vectors.curves.length);
    for (const [index, curve] of vectors.curves.entries()) {
      const scan = new FrameScan(curve.length, parsed);
      const skips: number[] = [];
      while (!scan.decided) {
        const skipped = scan.advance(...(curve[scan.nextBurst] as [number, number]));
        if (skipped !== null) skips.push(skipped);
      }
      const { skipped, ...decision } = decisionOf(scan);
      expect({ ...decision, skips }).toEqual(scans[index]);
      expect(skipped).toBe(skips.length);
    }
  });
});

describe("parsePolicy", () => {
  it("takes the certificate's policy where none is named, else the published one", () => {
    expect(parsePolicy(null, vectors.certified).wanted).toEqual(vectors.certified);
    expect(parsePolicy(null).wanted.name).toBe("published");
  });

  it.each([
    [{ name: "sometimes" }, "is not one of published"],
    [{ name: "toString" }, "is not one of published"],
    [{ name: "never", exit_threshold: 1 }, "has no parameter"],
    [{ name: "published", exit_threshold: 1.5 }, "must be in 0..1, not 1.5"],
    [{ name: "published", exit_threshold: Number.NaN }, "must be in 0..1"],
    [{ name: "published", exit_threshold: "0.5" }, 'not "0.5"'],
    [{ name: "published", exit_threshold: 0.2, skip_threshold: 0.2 }, "skip_threshold must be below exit_threshold"],
    [{ name: "patience", bursts: 2.5 }, "and whole"],
    [{ name: "sequential", evidence: 0 }, "above 0"],
    [{ name: "calibrated", risk: 0.5 }, "comes from the certificate"],
  ])("refuses %o", (wanted, words) => {
    expect(() => parsePolicy(wanted, vectors.certified)).toThrow(PolicyError);
    expect(() => parsePolicy(wanted, vectors.certified)).toThrow(words);
  });

  it("refuses a calibrated policy without a certificate", () => {
    expect(() => parsePolicy({ name: "calibrated" })).toThrow("no certificate");
  });
});

describe("certifiedPolicy", () => {
  const file = new URL("../../../model/weights/rascanet_105x120.certificate.json", import.meta.url);
  const certificate = JSON.parse(readFileSync(file, "utf8")) as { weights: string; digest: string };

  it("reads a shipped certificate", () => {
    const policy = certifiedPolicy(certificate, certificate.weights);
    expect(policy).toMatchObject({ name: "calibrated", certificate: certificate.digest });
    expect(policy).toMatchObject({ loss: "disagreement", condition: "marginal" });
    expect(parsePolicy(null, policy).wanted).toEqual(policy);
  });

  it("refuses a certificate of other weights, and what is none", () => {
    expect(() => certifiedPolicy(certificate, "ab")).toThrow("not of");
    expect(() => certifiedPolicy({ ...certificate, risk: "much" }, certificate.weights)).toThrow("not a certificate");
    expect(() => certifiedPolicy({ ...certificate, loss: 1 }, certificate.weights)).toThrow("not a certificate");
    expect(() => certifiedPolicy(null, "ab")).toThrow(PolicyError);
  });
});

it.each([
  ["never", 'not "never"'],
  [5, "not 5"],
  [{ name: "published", exit_threshold: Number.NaN }, "in 0..1, not NaN"],
  [{ name: "published", exit_threshold: 1n }, "in 0..1, not 1"],
])("%s is no policy", (wanted, words) => {
  expect(() => policyOf(wanted as never)).toThrow(PolicyError);
  expect(() => policyOf(wanted as never)).toThrow(words);
});
