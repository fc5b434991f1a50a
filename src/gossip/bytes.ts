/**
 * Writing and reading bytes in bounds: little endian, and numbers of unknown size as varints (LEB128, seven bits a byte).
 *
 * A reader never reads beyond its end: the first thing that does not fit makes `failed` true, and from then on all is 0, so that
 * a parser may check once at the end.
 */

/** Bytes of the longest varint that is accepted: 49 bits, so that it is a safe integer. */
const LONGEST_VARINT = 7;
const decoder = new TextDecoder('latin1');

export class ByteWriter {
  readonly bytes: Uint8Array;
  at = 0;

  /** @param size Bytes at most. Whoever writes sees to it that they are enough. */
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  get written(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  byte(value: number): void {
    this.bytes[this.at] = value;
    this.at += 1;
  }

  /** @param size Bytes, up to 6. */
  fixed(value: number, size: number): void {
    let rest = value;
    for (let i = 0; i < size; i += 1) {
      this.byte(rest % 256);
      rest = Math.floor(rest / 256);
    }
  }

  /** A whole number from 0; what is not is made one. */
  varint(value: number): void {
    let rest = Math.min(2 ** 48, Math.max(0, Math.round(value) || 0));
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 128);
    this.byte(rest);
  }

  /** A whole number of either sign: 0, -1, 1, -2 … as 0, 1, 2, 3 … */
  signed(value: number): void {
    const whole = Math.round(value) || 0;
    this.varint(whole >= 0 ? whole * 2 : -whole * 2 - 1);
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Up to 255 characters of Latin-1. */
  text(value: string): void {
    const length = Math.min(255, value.length);
    this.byte(length);
    for (let i = 0; i < length; i += 1) this.byte(value.charCodeAt(i) & 0xff);
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  at: number;
  end: number;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }

  get left(): number {
    return this.end - this.at;
  }

  byte(): number {
    if (this.at >= this.end) return this.#fail();
    const value = this.#bytes[this.at];
    this.at += 1;
    return value;
  }

  fixed(size: number): number {
    if (this.left < size) return this.#fail();
    let value = 0;
    for (let i = size - 1; i >= 0; i -= 1) value = value * 256 + this.#bytes[this.at + i];
    this.at += size;
    return value;
  }

  varint(): number {
    let [value, weight] = [0, 1];
    for (let i = 0; i < LONGEST_VARINT; i += 1) {
      const byte = this.byte();
      value += (byte & 127) * weight;
      if (byte < 128) return value;
      weight *= 128;
    }
    return this.#fail();
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    if (this.left < length) {
      this.#fail();
      return new Uint8Array(0);
    }
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  text(): string {
    return decoder.decode(this.raw(this.byte()));
  }

  /** Goes to that place, which is where something ends that began here. */
  skipTo(place: number): void {
    if (place < this.at || place > this.end) this.#fail();
    else this.at = place;
  }

  #fail(): number {
    this.failed = true;
    this.at = this.end;
    return 0;
  }
}
