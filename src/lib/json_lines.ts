/**
 * JSON values as lines: the form of everything said on the local sockets and on the links between mosd.
 *
 * The reader's memory is bounded: whoever sends a longer line than agreed gets an error, not our memory.
 */

/** Bytes of a line, without its end. Larger: longer answers are possible; smaller: less memory for each connection. */
export const MAX_LINE_BYTES = 64 * 1024;

/** A peer sent something that is not a line of JSON. The connection cannot be used any further. */
export class JsonLineError extends Error {
  constructor(reason: string) {
    super(`Cannot read the message: ${reason}`);
    this.name = 'JsonLineError';
  }
}

const NEWLINE = 0x0a;

export class JsonLineReader {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #buffered = 0;

  /** @param maxBytes Longest line. Default: MAX_LINE_BYTES. */
  constructor(maxBytes: number = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes received bytes in pieces of any size.
   * @returns the values of the lines that are complete now; empty lines are skipped
   * @throws JsonLineError
   */
  feed(bytes: Uint8Array): unknown[] {
    const values: unknown[] = [];
    let begin = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, begin)) {
      this.#hold(bytes.subarray(begin, end));
      const line = this.#takeLine();
      if (line.trim() !== '') values.push(parse(line));
      begin = end + 1;
    }
    this.#hold(bytes.subarray(begin));
    return values;
  }

  #hold(piece: Uint8Array): void {
    this.#buffered += piece.length;
    if (this.#buffered > this.#maxBytes) throw new JsonLineError(`it is longer than ${this.#maxBytes} bytes`);
    if (piece.length > 0) this.#pieces.push(piece);
  }

  #takeLine(): string {
    const line = Buffer.concat(this.#pieces).toString('utf8');
    this.#pieces = [];
    this.#buffered = 0;
    return line;
  }
}

/** One value as a line. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new JsonLineError('it is not JSON');
  }
}
