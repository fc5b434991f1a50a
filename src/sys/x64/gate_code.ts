/**
 * The system-call gate: a tiny ELF shared object whose one function `sys()` makes the call described in its mailbox.
 * Mailbox (64 bytes): nr, six arguments, result. See elf(5) and syscall(2) for the layouts.
 */
import { Assembler } from './assembler.ts';

const page = 4096;
const textOffset = page;
const dataOffset = 2 * page;
/** Offset of the mailbox in the writable segment; the dynamic section lies before it. */
const mailboxOffset = dataOffset + 256;

/** Machine code of `sys()`. */
export function gateCode(): Uint8Array {
  const a = new Assembler();
  a.push('rbx').addressOf('rbx', 'mailbox');
  a.load('rax', 'rbx', 0).load('rdi', 'rbx', 8).load('rsi', 'rbx', 16).load('rdx', 'rbx', 24);
  a.load('r10', 'rbx', 32).load('r8', 'rbx', 40).load('r9', 'rbx', 48);
  a.syscall().store('rbx', 56, 'rax').pop('rbx').return();
  return a.bytes({ mailbox: mailboxOffset - textOffset });
}

/** The shared object, exporting `sys` and `mailbox`. */
export function gateLibrary(): Uint8Array {
  const file = new Uint8Array(dataOffset + 512);
  const view = new DataView(file.buffer);
  const u64 = (offset: number, value: number): void => view.setBigUint64(offset, BigInt(value), true);
  const stringsOffset = 0x200;
  const symbolsOffset = 0x280;
  const hashOffset = 0x300;
  const strings = new TextEncoder().encode('\0sys\0mailbox\0');
  file.set(strings, stringsOffset);

  const symbol = (index: number, name: number, type: number, section: number, value: number): void => {
    const at = symbolsOffset + index * 24;
    view.setUint32(at, name, true);
    file[at + 4] = 0x10 | type; // STB_GLOBAL
    view.setUint16(at + 6, section, true);
    u64(at + 8, value);
    u64(at + 16, 64);
  };
  symbol(1, 1, 2 /* STT_FUNC */, 1, textOffset);
  symbol(2, 5, 1 /* STT_OBJECT */, 2, mailboxOffset);
  // DT_HASH: one bucket, three symbols in one chain.
  [1, 3, 1, 0, 2, 0].forEach((word, i) => view.setUint32(hashOffset + 4 * i, word, true));
  const dynamic = [
    [4, hashOffset],
    [5, stringsOffset],
    [6, symbolsOffset],
    [10, strings.length],
    [11, 24],
    [0, 0],
  ] as const;
  dynamic.forEach(([tag, value], i) => {
    u64(dataOffset + 16 * i, tag);
    u64(dataOffset + 16 * i + 8, value);
  });

  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], 0);
  view.setUint16(16, 3, true); // ET_DYN
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  u64(32, 64); // program headers follow the ELF header
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 5, true);
  const segment = (index: number, type: number, flags: number, offset: number, size: number): void => {
    const at = 64 + 56 * index;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, flags, true);
    for (const field of [8, 16, 24]) u64(at + field, offset);
    u64(at + 32, size);
    u64(at + 40, size);
    u64(at + 48, type === 1 ? page : 8);
  };
  segment(0, 1, 4, 0, 0x400); // tables: read
  segment(1, 1, 5, textOffset, 128); // code: read, execute
  segment(2, 1, 6, dataOffset, 512); // dynamic section and mailbox: read, write
  segment(3, 2, 6, dataOffset, dynamic.length * 16);
  segment(4, 0x6474e551, 6, 0, 0); // PT_GNU_STACK: no executable stack
  file.set(gateCode(), textOffset);
  return file;
}
