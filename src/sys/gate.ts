/**
 * Every Linux call of this thread goes through one function without arguments: the call is described in a mailbox of
 * numbers, and the result is -errno as the kernel gave it. That costs about 5 ns, has no errno race, needs no BigInt,
 * and reaches calls that libc does not wrap. This is the only module that imports node:ffi.
 */
import ffi from 'node:ffi';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gateLibrary } from './x64/gate_code.ts';

const memfdCloseOnExec = 1;
const memfdExecutable = 0x10;

/** Loads the gate library; glibc knows libraries by name, so each thread's memfd stays open for its whole life. */
function loadLibrary(): { sys: () => void; mailbox: ArrayBuffer } {
  const libc = new ffi.DynamicLibrary('libc.so.6');
  const memfdCreate = libc.getFunction('memfd_create', { return: 'int32', arguments: ['string', 'uint32'] });
  let fd = memfdCreate('mosix-gate', memfdCloseOnExec | memfdExecutable);
  if (fd < 0) fd = memfdCreate('mosix-gate', memfdCloseOnExec); // before Linux 6.3 the flag is unknown
  if (fd >= 0) {
    fs.writeSync(fd, gateLibrary());
    try {
      return open(`/proc/self/fd/${fd}`);
    } catch {
      fs.closeSync(fd); // vm.memfd_noexec=2 forbids mapping it executable
    }
  }
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'mosix-gate-'));
  try {
    const file = path.join(directory, 'gate.so');
    fs.writeFileSync(file, gateLibrary(), { mode: 0o700 });
    return open(file);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

function open(file: string): { sys: () => void; mailbox: ArrayBuffer } {
  const library = new ffi.DynamicLibrary(file);
  const sys = library.getFunction('sys', { return: 'void', arguments: [] }) as () => void;
  return { sys, mailbox: ffi.toArrayBuffer(library.getSymbol('mailbox'), 64, false) };
}

const { sys, mailbox } = loadLibrary();
const u32 = new Uint32Array(mailbox);
const i32 = new Int32Array(mailbox);
const u64 = new BigUint64Array(mailbox);
const two32 = 4294967296;

function put(index: number, value: number): void {
  u32[index] = value >>> 0;
  u32[index + 1] = Math.floor(value / two32) >>> 0;
}

/**
 * Makes a system call. Arguments are integers below 2^53 in magnitude (addresses, lengths, small negatives).
 * @returns the result, or -errno
 */
export function call(nr: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
  put(0, nr);
  put(2, a);
  put(4, b);
  put(6, c);
  put(8, d);
  put(10, e);
  put(12, f);
  sys();
  return i32[15] * two32 + u32[14];
}

/** As `call`, for arguments that need all 64 bits. */
export function callWide(nr: number, args: readonly bigint[]): number {
  put(0, nr);
  for (let i = 0; i < 6; i++) u64[i + 1] = BigInt.asUintN(64, args[i] ?? 0n);
  sys();
  return i32[15] * two32 + u32[14];
}

/** Bytes of this process's own memory at an address, as a view (no copy). The caller keeps the memory mapped. */
export function viewOf(address: number, length: number): ArrayBuffer {
  return ffi.toArrayBuffer(BigInt(address), length, false);
}
