/** Rows in aligned columns, cut to a width: what mosps prints. */

export interface Column {
  title: string;
  align: 'left' | 'right';
}

const GAP = '  ';
export const GAP_WIDTH = GAP.length;

/**
 * Lays out rows under their titles.
 * @param width Columns of the terminal; lines are cut to it. Infinity: nothing is cut.
 * @returns lines without trailing blanks
 */
export function layoutTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const printable = rows.map((row) => row.map(withoutControls));
  const widths = columns.map((column, index) =>
    printable.reduce((most, row) => Math.max(most, (row[index] ?? '').length), column.title.length),
  );
  const line = (cells: readonly string[]): string => {
    const padded = columns.map(({ align }, index) => pad(cells[index] ?? '', widths[index] ?? 0, align));
    return cut(padded.join(GAP).trimEnd(), width);
  };
  return [line(columns.map((column) => column.title)), ...printable.map(line)];
}

/** Shortens a text to a width and shows that it did. */
export function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  return width < 1 ? '' : `${text.slice(0, width - 1)}…`;
}

/** Names of programs come from their users: no escape sequence in them may reach a terminal. */
export function withoutControls(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}
