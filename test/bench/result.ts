/** What a benchmark reports: one JSON object a line. */

export interface Result {
  readonly bench: string;
  readonly case: string;
  /** Of `median`, `p95` and `raw`. */
  readonly unit: string;
  readonly n: number;
  readonly median: number;
  readonly p95: number;
  /** The median of the plain counterpart, measured in the same run: TCP for freeze and forward, at home for
   * slowdown, without us for start; for guests the p95 of a single one. */
  readonly raw: number;
  /** How many times the plain counterpart's it is. */
  readonly ratio: number;
  /** 95 % confidence interval of `ratio`, where pairs were measured. */
  readonly interval?: readonly [number, number];
  /** Which host had which CPUs, the link, how the plain counterpart waited. */
  readonly placement: string;
}

export function printResult(result: Result, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const interval = result.interval === undefined ? '' : ` (95 %: ${result.interval.join(' to ')})`;
  const columns = [
    result.bench.padEnd(9),
    result.case.padEnd(28),
    `median ${result.median} ${result.unit}`.padEnd(24),
    `p95 ${result.p95}`.padEnd(14),
    `raw ${result.raw}`.padEnd(14),
    `ratio ${result.ratio}${interval}`.padEnd(14),
    `n ${result.n}`,
  ];
  process.stdout.write(`${columns.join(' ')}\n          ${result.placement}\n`);
}
