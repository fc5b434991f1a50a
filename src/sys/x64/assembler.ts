/**
 * A very small x86-64 assembler: only the instructions that our own machine code uses.
 * Encodings follow the Intel SDM volume 2. Every sequence that is built with it has a test beside its builder.
 */

export type Register = 'rax' | 'rcx' | 'rdx' | 'rbx' | 'rsp' | 'rbp' | 'rsi' | 'rdi' | 'r8' | 'r9' | 'r10';

const registerNumber: Record<Register, number> = {
  rax: 0,
  rcx: 1,
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
};

type Condition = 'equal' | 'notEqual';
const shortJump: Record<Condition | 'always', number> = { equal: 0x74, notEqual: 0x75, always: 0xeb };

/** Collects instructions; labels are resolved by `bytes()`. Jumps are short (within 127 bytes). */
export class Assembler {
  readonly #code: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: { at: number; label: string; size: 1 | 4 }[] = [];

  /** Offset of the next instruction. */
  get here(): number {
    return this.#code.length;
  }

  label(name: string): this {
    this.#labels.set(name, this.here);
    return this;
  }

  /** Offset of a label that has been placed. */
  offsetOf(name: string): number {
    const at = this.#labels.get(name);
    if (at === undefined) throw new Error(`Cannot resolve label ${name}: it was never placed`);
    return at;
  }

  /** `mov register, [base + displacement]`, 64 bits. */
  load(register: Register, base: Register, displacement: number): this {
    return this.#memory(0x8b, registerNumber[register], base, displacement, true);
  }

  /** `mov register32, [base + displacement]`: the upper half becomes zero. */
  load32(register: Register, base: Register, displacement: number): this {
    return this.#memory(0x8b, registerNumber[register], base, displacement, false);
  }

  /** `mov [base + displacement], register`, 64 bits. */
  store(base: Register, displacement: number, register: Register): this {
    return this.#memory(0x89, registerNumber[register], base, displacement, true);
  }

  /** `mov dword [base + displacement], immediate`. */
  storeImmediate32(base: Register, displacement: number, immediate: number): this {
    this.#memory(0xc7, 0, base, displacement, false);
    return this.#immediate32(immediate);
  }

  /** `cmp dword [base + displacement], immediate8`. */
  compareMemory32(base: Register, displacement: number, immediate: number): this {
    this.#memory(0x83, 7, base, displacement, false);
    return this.#emit(immediate & 0xff);
  }

  /** `lock inc dword [base]`. */
  lockIncrement32(base: Register): this {
    this.#emit(0xf0);
    return this.#memory(0xff, 0, base, 0, false);
  }

  /** `lea register, [base + displacement]`. */
  address(register: Register, base: Register, displacement: number): this {
    return this.#memory(0x8d, registerNumber[register], base, displacement, true);
  }

  /** `lea register, [rip + (label - here)]`; the label may also be an absolute offset outside this code. */
  addressOf(register: Register, label: string): this {
    this.#rex(true, registerNumber[register], 0).#emit(0x8d, ((registerNumber[register] & 7) << 3) | 5);
    this.#fixups.push({ at: this.here, label, size: 4 });
    return this.#immediate32(0);
  }

  /** `mov register32, immediate`. */
  set32(register: Register, immediate: number): this {
    const number = registerNumber[register];
    if (number > 7) this.#emit(0x41);
    return this.#emit(0xb8 | (number & 7)).#immediate32(immediate);
  }

  /** `mov to, from`, 64 bits. */
  move(to: Register, from: Register): this {
    return this.#rex(true, registerNumber[from], registerNumber[to]).#emit(0x89, this.#direct(from, to));
  }

  /** `xor register32, register32`: zero. */
  clear(register: Register): this {
    return this.#rex(false, registerNumber[register], registerNumber[register]).#emit(
      0x31,
      this.#direct(register, register),
    );
  }

  /** `cmp register, immediate8` (sign-extended), 64 bits. */
  compare(register: Register, immediate: number): this {
    return this.#rex(true, 0, registerNumber[register]).#emit(
      0x83,
      0xf8 | (registerNumber[register] & 7),
      immediate & 0xff,
    );
  }

  /** `cmp one, other`, 64 bits. */
  compareRegisters(one: Register, other: Register): this {
    return this.#rex(true, registerNumber[other], registerNumber[one]).#emit(0x39, this.#direct(other, one));
  }

  /** `add register, immediate8`, 64 bits. */
  add(register: Register, immediate: number): this {
    return this.#rex(true, 0, registerNumber[register]).#emit(
      0x83,
      0xc0 | (registerNumber[register] & 7),
      immediate & 0xff,
    );
  }

  push(register: Register): this {
    return this.#emit(0x50 | registerNumber[register]);
  }

  pop(register: Register): this {
    return this.#emit(0x58 | registerNumber[register]);
  }

  jump(label: string, condition: Condition | 'always' = 'always'): this {
    this.#emit(shortJump[condition], 0);
    this.#fixups.push({ at: this.here - 1, label, size: 1 });
    return this;
  }

  syscall(): this {
    return this.#emit(0x0f, 0x05);
  }

  breakpoint(): this {
    return this.#emit(0xcc);
  }

  return(): this {
    return this.#emit(0xc3);
  }

  /** `rep movsq`: copies rcx quadwords from [rsi] to [rdi]. */
  copyQuadwords(): this {
    return this.#emit(0xf3, 0x48, 0xa5);
  }

  /** The finished code. `externals` gives offsets (relative to this code's start) of labels that lie outside it. */
  bytes(externals: Readonly<Record<string, number>> = {}): Uint8Array {
    const out = Uint8Array.from(this.#code);
    const view = new DataView(out.buffer);
    for (const { at, label, size } of this.#fixups) {
      const distance = (externals[label] ?? this.offsetOf(label)) - (at + size);
      if (size === 4) view.setInt32(at, distance, true);
      else if (distance < -128 || distance > 127)
        throw new Error(`Cannot jump to ${label}: ${distance} bytes is too far`);
      else view.setInt8(at, distance);
    }
    return out;
  }

  #emit(...bytes: number[]): this {
    this.#code.push(...bytes);
    return this;
  }

  #immediate32(value: number): this {
    return this.#emit(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff);
  }

  #rex(wide: boolean, reg: number, rm: number): this {
    const prefix = 0x40 | (wide ? 8 : 0) | (reg > 7 ? 4 : 0) | (rm > 7 ? 1 : 0);
    return prefix === 0x40 ? this : this.#emit(prefix);
  }

  #direct(reg: Register, rm: Register): number {
    return 0xc0 | ((registerNumber[reg] & 7) << 3) | (registerNumber[rm] & 7);
  }

  #memory(opcode: number, reg: number, base: Register, displacement: number, wide: boolean): this {
    const rm = registerNumber[base];
    if (base === 'rsp') throw new Error('Cannot address by rsp: it needs a SIB byte');
    this.#rex(wide, reg, rm).#emit(opcode);
    const short = displacement >= -128 && displacement <= 127;
    this.#emit((short ? 0x40 : 0x80) | ((reg & 7) << 3) | (rm & 7));
    return short ? this.#emit(displacement & 0xff) : this.#immediate32(displacement);
  }
}
