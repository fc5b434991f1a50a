/**
 * What a person sees on a terminal: the text on the screen after all that a program wrote to it.
 *
 * The bytes themselves would not do for a comparison. How a program repaints depends on how many keys had arrived when it
 * looked; what stands on the screen in the end does not. Follows xterm's control sequences as far as terminfo's entry
 * `xterm` uses them (xterm-ctlseqs, "Functions using CSI"); colours and modes are passed over.
 */
const escape = '\u001b';
const bell = '\u0007';

interface Cursor {
  row: number;
  column: number;
}

export class Screen {
  #rows: number;
  #columns: number;
  #lines: string[][];
  #cursor: Cursor = { row: 0, column: 0 };
  #saved: Cursor = { row: 0, column: 0 };
  /** What is under a full-screen program. */
  #under: string[][] | undefined;
  #top = 0;
  #bottom: number;
  /** A control sequence of which only the beginning has arrived. */
  #rest = '';

  constructor(rows: number, columns: number) {
    this.#rows = rows;
    this.#columns = columns;
    this.#bottom = rows - 1;
    this.#lines = Array.from({ length: rows }, () => []);
  }

  /** All lines, without spaces at their ends and without empty ones at the end; the cursor's place in front. */
  get text(): string {
    const lines = this.#lines.map((line) =>
      Array.from(line, (character) => character ?? ' ')
        .join('')
        .trimEnd(),
    );
    while (lines.at(-1) === '') lines.pop();
    return `(${this.#cursor.row + 1},${this.#cursor.column + 1})\n${lines.join('\n')}\n`;
  }

  /** A terminal that becomes lower loses lines at its top, as far as the cursor demands it. */
  resize(rows: number, columns: number): void {
    const lost = Math.max(0, this.#cursor.row - rows + 1);
    this.#lines.splice(0, lost);
    this.#lines.length = Math.min(this.#lines.length, rows);
    while (this.#lines.length < rows) this.#lines.push([]);
    this.#cursor = { row: this.#cursor.row - lost, column: Math.min(this.#cursor.column, columns - 1) };
    [this.#rows, this.#columns, this.#top, this.#bottom] = [rows, columns, 0, rows - 1];
    for (const line of this.#lines) line.length = Math.min(line.length, columns);
  }

  write(text: string): void {
    this.#rest += text;
    for (;;) {
      const token = nextToken(this.#rest);
      if (token === undefined) return;
      this.#rest = this.#rest.slice(token.length);
      if (token.length === 1) this.#character(token);
      else this.#sequence(token);
    }
  }

  #character(character: string): void {
    const { column } = this.#cursor;
    if (character === '\r') this.#cursor.column = 0;
    else if (character === '\n') this.#lineFeed();
    else if (character === '\b') this.#cursor.column = Math.max(0, Math.min(column, this.#columns - 1) - 1);
    else if (character === '\t') this.#cursor.column = Math.min(this.#columns - 1, (Math.floor(column / 8) + 1) * 8);
    else if (character < ' ' || character === '\u007f') return;
    else {
      // The cursor stays behind the last column until something follows.
      if (column >= this.#columns) {
        this.#cursor.column = 0;
        this.#lineFeed();
      }
      this.#put(character);
    }
  }

  #put(character: string): void {
    const line = this.#lines[this.#cursor.row];
    while (line.length < this.#cursor.column) line.push(' ');
    line[this.#cursor.column++] = character;
  }

  #lineFeed(): void {
    if (this.#cursor.row === this.#bottom) this.#scroll(1);
    else this.#cursor.row = Math.min(this.#rows - 1, this.#cursor.row + 1);
  }

  /** Moves the lines of the scrolling region up, or down if `count` is negative. */
  #scroll(count: number, top = this.#top): void {
    for (let n = 0; n < Math.abs(count); n++) {
      const [from, to] = count > 0 ? [top, this.#bottom] : [this.#bottom, top];
      this.#lines.splice(from, 1);
      this.#lines.splice(to, 0, []);
    }
  }

  #sequence(sequence: string): void {
    if (sequence[1] !== '[') return this.#short(sequence[1]);
    const final = sequence.at(-1) ?? '';
    const parameters = sequence.slice(2, -1);
    if (parameters.startsWith('?')) return this.#mode(parameters.slice(1), final === 'h');
    if (/^[<=>!]/.test(parameters)) return;
    const [first = 0, second = 0] = parameters.split(';').map(Number);
    this.#control(final, first, second);
  }

  #short(final: string): void {
    if (final === '7') this.#saved = { ...this.#cursor };
    else if (final === '8') this.#cursor = { ...this.#saved };
    else if (final === 'D') this.#lineFeed();
    else if (final === 'M' && this.#cursor.row === this.#top) this.#scroll(-1);
    else if (final === 'M') this.#cursor.row = Math.max(0, this.#cursor.row - 1);
  }

  #mode(modes: string, on: boolean): void {
    if (!modes.split(';').includes('1049') || on === (this.#under !== undefined)) return;
    if (on) {
      this.#saved = { ...this.#cursor };
      this.#under = this.#lines;
      this.#lines = Array.from({ length: this.#rows }, () => []);
    } else {
      this.#lines = Array.from({ length: this.#rows }, (_, row) => this.#under?.[row] ?? []);
      this.#under = undefined;
      this.#cursor = { ...this.#saved };
    }
  }

  #control(final: string, first: number, second: number): void {
    const count = Math.max(1, first);
    const cursor = this.#cursor;
    const line = this.#lines[cursor.row];
    const moves: Readonly<Record<string, () => Cursor>> = {
      A: () => ({ ...cursor, row: cursor.row - count }),
      B: () => ({ ...cursor, row: cursor.row + count }),
      C: () => ({ ...cursor, column: cursor.column + count }),
      D: () => ({ ...cursor, column: Math.min(cursor.column, this.#columns - 1) - count }),
      G: () => ({ ...cursor, column: count - 1 }),
      d: () => ({ ...cursor, row: count - 1 }),
      H: () => ({ row: count - 1, column: Math.max(1, second) - 1 }),
    };
    const edits: Readonly<Record<string, () => void>> = {
      '@': () => line.splice(cursor.column, 0, ...Array.from({ length: count }, () => ' ')),
      P: () => line.splice(cursor.column, count),
      X: () => this.#blank(line, cursor.column, cursor.column + count),
      K: () => this.#eraseLine(line, first),
      J: () => this.#eraseScreen(first),
      L: () => this.#scroll(-count, cursor.row),
      M: () => this.#scroll(count, cursor.row),
      S: () => this.#scroll(count),
      T: () => this.#scroll(-count),
      r: () => {
        [this.#top, this.#bottom] = [count - 1, (second || this.#rows) - 1];
        this.#cursor = { row: 0, column: 0 };
      },
    };
    if (final in moves) {
      const { row, column } = moves[final]();
      this.#cursor = { row: clamp(row, this.#rows), column: clamp(column, this.#columns) };
    } else edits[final]?.();
  }

  #blank(line: string[], from: number, to: number): void {
    for (let at = from; at < Math.min(to, line.length); at++) line[at] = ' ';
  }

  #eraseLine(line: string[], what: number): void {
    if (what === 0) line.length = Math.min(line.length, this.#cursor.column);
    else this.#blank(line, 0, what === 1 ? this.#cursor.column + 1 : line.length);
  }

  #eraseScreen(what: number): void {
    const { row } = this.#cursor;
    this.#eraseLine(this.#lines[row], what);
    this.#lines.forEach((line, at) => {
      if (what === 2 || (what === 0 ? at > row : at < row)) line.length = 0;
    });
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(0, Math.min(limit - 1, value));
}

/** A character or a whole control sequence from the beginning of `text`; undefined if that is not complete. */
function nextToken(text: string): string | undefined {
  if (text[0] !== escape) return text[0];
  const second = text[1];
  if (second === undefined) return undefined;
  if (second === '[') return /^..[0-?]*[ -/]*[@-~]/.exec(text)?.[0];
  if (second === ']') return new RegExp(`^..[^${bell}${escape}]*(${bell}|${escape}.)`).exec(text)?.[0];
  return /^.[ -/]*[0-~]/.exec(text)?.[0];
}
