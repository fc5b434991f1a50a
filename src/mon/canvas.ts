/** A screen as cells: what the views draw on and what the terminal is made to show. Pure: no escape sequences here. */

export type Style = 'plain' | 'dim' | 'bold' | 'good' | 'warn' | 'bad' | 'info' | 'selected';

export interface Cell {
  /** One column wide. */
  letter: string;
  style: Style;
}

const BLANK: Cell = { letter: ' ', style: 'plain' };

export class Canvas {
  readonly rows: number;
  readonly columns: number;
  readonly #cells: Cell[];

  constructor(rows: number, columns: number) {
    this.rows = rows;
    this.columns = columns;
    this.#cells = Array.from({ length: rows * columns }, () => BLANK);
  }

  cell(row: number, column: number): Cell {
    return this.#cells[row * this.columns + column] ?? BLANK;
  }

  /** Writes a text; what is beyond the edges is cut off. @returns the column after it */
  put(row: number, column: number, text: string, style: Style = 'plain'): number {
    let at = column;
    for (const letter of printable(text)) {
      if (row >= 0 && row < this.rows && at >= 0 && at < this.columns)
        this.#cells[row * this.columns + at] = { letter, style };
      at += 1;
    }
    return at;
  }

  /** A text that ends before `end`. */
  putRight(row: number, end: number, text: string, style: Style = 'plain'): void {
    this.put(row, end - printable(text).length, text, style);
  }

  /** Gives a part of a row another style. */
  restyle(row: number, from: number, to: number, style: Style): void {
    for (let at = Math.max(0, from); at < Math.min(to, this.columns); at += 1)
      this.#cells[row * this.columns + at] = { ...this.cell(row, at), style };
  }

  /** The text, without blanks at the ends of lines. */
  toString(): string {
    const lines = Array.from({ length: this.rows }, (_, row) =>
      Array.from({ length: this.columns }, (__, column) => this.cell(row, column).letter)
        .join('')
        .trimEnd(),
    );
    return lines.join('\n');
  }
}

/** Letters of one column. Names come from users: no control character, and nothing that is two columns wide, may stay. */
export function printable(text: string): string[] {
  return Array.from(text, (letter) => {
    const code = letter.codePointAt(0) ?? 0;
    const isControl =
      code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x200b || (code >= 0x300 && code < 0x370);
    const isKnown = code < 0x1100 || (code >= 0x2010 && code < 0x2027) || (code >= 0x2190 && code < 0x2600);
    return isControl || !isKnown ? '?' : letter;
  });
}

/** Cut to a width, with a sign that it was. */
export function fitted(text: string, width: number): string {
  const letters = printable(text);
  if (letters.length <= width) return letters.join('');
  return width < 1 ? '' : `${letters.slice(0, width - 1).join('')}…`;
}
