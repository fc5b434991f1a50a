/** Tables that fit the terminal: of the columns those that matter least are left out until the rest has room. */
import { GAP_WIDTH, layoutTable, type Column } from './table.ts';

export interface Field<T> extends Column {
  /** Fields with the largest number are left out first; 0: never. */
  rank: number;
  of: (row: T) => string;
}

/** @param width Columns of the terminal; Infinity: all fields. @returns the titles, then a line for each row */
export function fittingTable<T>(all: readonly Field<T>[], rows: readonly T[], width: number): string[] {
  const columns = all.map((field) => {
    const cells = rows.map((row) => field.of(row));
    return { field, cells, needed: cells.reduce((most, { length }) => Math.max(most, length), field.title.length) };
  });
  const widthOf = (some: typeof columns): number =>
    some.reduce((sum, { needed }) => sum + needed + GAP_WIDTH, -GAP_WIDTH);
  let kept = columns;
  while (widthOf(kept) > width) {
    const worst = Math.max(...kept.map(({ field }) => field.rank));
    if (worst === 0) break;
    kept = kept.filter(({ field }) => field.rank !== worst);
  }
  return layoutTable(
    kept.map(({ field }) => field),
    rows.map((_, index) => kept.map(({ cells }) => cells[index])),
    width,
  );
}
