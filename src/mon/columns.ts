/** Tables on the screen: columns with a fixed width, of which those that matter least are left out where room is short. */
import { fitted, type Canvas, type Style } from './canvas.ts';

export interface TableColumn<T> {
  title: string;
  width: number;
  align: 'left' | 'right';
  /** Those with the largest number are left out first; 0: never. */
  rank: number;
  text: (row: T) => string;
  style?: (row: T) => Style;
}

/** @returns as many of the columns as there is room for, a blank between them */
export function fittingColumns<T>(columns: readonly TableColumn<T>[], room: number): readonly TableColumn<T>[] {
  let kept = columns;
  while (widthOf(kept) > room) {
    const worst = Math.max(...kept.map(({ rank }) => rank));
    if (worst === 0) break;
    kept = kept.filter(({ rank }) => rank !== worst);
  }
  return kept;
}

export function widthOf<T>(columns: readonly TableColumn<T>[]): number {
  return columns.reduce((sum, { width }) => sum + width + 1, -1);
}

export function drawTitles<T>(canvas: Canvas, row: number, columns: readonly TableColumn<T>[], left = 0): void {
  drawCells(canvas, { row, left }, columns, ({ title }) => [title, 'dim']);
}

export function drawRow<T>(
  canvas: Canvas,
  at: { row: number; left: number },
  columns: readonly TableColumn<T>[],
  value: T,
): void {
  drawCells(canvas, at, columns, ({ text, style }) => [text(value), style?.(value) ?? 'plain']);
}

function drawCells<T>(
  canvas: Canvas,
  { row, left }: { row: number; left: number },
  columns: readonly TableColumn<T>[],
  cell: (column: TableColumn<T>) => [text: string, style: Style],
): void {
  let at = left;
  for (const column of columns) {
    const [text, style] = cell(column);
    const shown = fitted(text, column.width);
    if (column.align === 'left') canvas.put(row, at, shown, style);
    else canvas.putRight(row, at + column.width, shown, style);
    at += column.width + 1;
  }
}
