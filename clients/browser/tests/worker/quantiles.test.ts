import { describe, expect, it } from "vitest";
import { histogram, quantiles } from "../../src/worker/quantiles";

describe("quantiles", () => {
  it("has quantiles by the nearest rank", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantiles(values)).toEqual({ count: 100, p50: 50, p95: 95, p99: 99 });
    expect(quantiles([])).toEqual({ count: 0, p50: 0, p95: 0, p99: 0 });
  });

  it("falls into bins that hold every value", () => {
    for (const values of [[1], [0.1, 0.2, 5], Array.from({ length: 500 }, (_, index) => index ** 1.5)]) {
      const bins = histogram(values);
      expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
      expect(bins.length).toBeLessThanOrEqual(26);
    }
  });
});
