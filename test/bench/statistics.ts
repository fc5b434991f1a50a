/** Order statistics: medians, percentiles, and what a sample says of the median. No distribution is assumed. */

export function ascending(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}

/** The nearest-rank percentile: a value that was measured. `share` is between 0 and 1. */
export function percentile(values: readonly number[], share: number): number {
  const rank = Math.ceil(share * values.length);
  return ascending(values)[Math.max(0, rank - 1)];
}

export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The interval between two values of the sample that holds the true median with at least `confidence`: the number of
 * values below the median is binomial with p = 1/2. The whole range where the sample is too small for that.
 */
export function medianInterval(values: readonly number[], confidence = 0.95): [number, number] {
  const sorted = ascending(values);
  const n = sorted.length;
  let term = 0.5 ** n; // P(X = k), from k = 0 on
  let below = 0;
  let rank = 0;
  while (rank < n / 2 && 2 * (below + term) <= 1 - confidence) {
    below += term;
    rank += 1;
    term *= (n - rank + 1) / rank;
  }
  const low = Math.max(0, rank - 1);
  return [sorted[low], sorted[n - 1 - low]];
}

/** Three significant digits below 1000, whole numbers above: more would be noise. */
export function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
}
