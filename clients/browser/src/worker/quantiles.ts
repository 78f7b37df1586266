/** Quantiles and histograms of measured values. */

export interface Quantiles {
  count: number;
  p50: number;
  p95: number;
  p99: number;
}

/** By the nearest rank. */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99) };
}

export interface Bin {
  from: number;
  to: number;
  count: number;
}

const STEPS = [1, 2, 5];

/** Counts in bins of a round width, at most `most` of them. */
export function histogram(values: readonly number[], most = 24): Bin[] {
  if (values.length === 0) return [];
  const low = Math.min(...values);
  const high = Math.max(...values);
  // Values that hardly differ share a bin as wide as they can be told apart.
  const wanted = Math.max((high - low) / most, high / 100, 1e-3);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const width = (STEPS.find((step) => step * power >= wanted) ?? 10) * power;
  const first = Math.floor(low / width);
  const bins = Array.from({ length: Math.floor(high / width) - first + 1 }, (_, index) => ({
    from: (first + index) * width,
    to: (first + index + 1) * width,
    count: 0,
  }));
  for (const value of values) {
    const bin = bins[Math.floor(value / width) - first];
    if (bin) bin.count += 1;
  }
  return bins;
}
