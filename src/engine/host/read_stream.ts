/** A file that is read ahead: the program's position in it, and the parts of it that are here. Pure. */
import { readUnit } from '../image/read_ahead_messages.ts';

/** Bytes that are asked for beyond the position. Larger: fewer reads wait for the link; smaller: less that nobody reads. */
const ahead = 4 * readUnit;
/** Bytes behind the position that are kept for programs that step back. */
const behind = 64 * 1024;
/** A file that is read here and there is not worth it: jumps out of what is here, and served reads for each of them. */
const fewJumps = 16;
const readsPerJump = 8;

interface Part {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class ReadStream {
  readonly grant: number;
  /** Where the program is in the file; only right while no read of it is made at home. */
  position = 0;
  size = 0;
  granted = false;
  /** A read is being made at home, which has the right position. */
  atHome = false;
  /** Reads and seeks that were answered here. */
  served = 0;
  #asked = 0;
  #parts: Part[] = [];
  #jumps = 0;
  #seen = 0;

  constructor(grant: number) {
    this.grant = grant;
  }

  begin(position: number, size: number): void {
    this.position = position;
    this.#asked = position;
    this.size = size;
    this.granted = true;
  }

  /** Offsets of the parts that are to come next. */
  wants(): number[] {
    const offsets: number[] = [];
    this.#asked = Math.max(this.#asked, this.position);
    for (; this.#asked < this.size && this.#asked - this.position < ahead; this.#asked += readUnit)
      offsets.push(this.#asked);
    return offsets;
  }

  add(offset: number, bytes: Uint8Array): void {
    // What was asked for before a jump may come after it.
    if (offset + bytes.length <= this.position || offset >= this.#asked) return;
    this.#parts.push({ offset, bytes });
  }

  /** What a read of so many bytes gives; undefined when it is not here. At the end of the file that is nothing. */
  next(wanted: number): Uint8Array | undefined {
    const length = Math.max(0, Math.min(wanted, this.size - this.position));
    if (length === 0) return new Uint8Array();
    const first = this.#partAt(this.position);
    if (!first) return undefined;
    const from = this.position - first.offset;
    if (from + length <= first.bytes.length) return first.bytes.subarray(from, from + length);
    const out = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const part = this.#partAt(this.position + done);
      if (!part) return undefined;
      const start = this.position + done - part.offset;
      const piece = part.bytes.subarray(start, start + length - done);
      out.set(piece, done);
      done += piece.length;
    }
    return out;
  }

  advance(count: number): void {
    this.position += count;
    this.served += 1;
    const [first] = this.#parts;
    if (first && first.offset + first.bytes.length < this.position - behind) this.#parts.shift();
  }

  /** Where lseek(2) leads; undefined where only home can tell. */
  target(offset: number, whence: number): number | undefined {
    const bases = [0, this.position, this.size];
    const target = whence < bases.length && whence >= 0 ? bases[whence] + offset : NaN;
    return Number.isSafeInteger(target) && target >= 0 && target <= this.size ? target : undefined;
  }

  /** @returns false when the program jumps about too much */
  seek(target: number): boolean {
    this.served += 1;
    const start = this.#parts[0]?.offset ?? this.position;
    if (target < start || target > this.#asked) {
      this.#jumps += 1;
      this.#parts = [];
      this.#asked = target;
    }
    this.position = target;
    return this.#jumps < fewJumps || this.served > this.#jumps * readsPerJump;
  }

  /** Whether nothing has happened since it was asked last. */
  idle(): boolean {
    const idle = this.served === this.#seen && !this.atHome;
    this.#seen = this.served;
    return idle;
  }

  #partAt(offset: number): Part | undefined {
    return this.#parts.find((part) => part.offset <= offset && offset < part.offset + part.bytes.length);
  }
}
