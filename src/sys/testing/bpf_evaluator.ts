/**
 * Runs a seccomp program as the kernel would (the instructions seccomp allows and seccomp_bpf.ts emits), for tests.
 * It follows the kernel's checks too: no jump beyond the end, loads only of whole words of `struct seccomp_data`.
 */

/** One call as seccomp sees it. */
export interface SeccompData {
  readonly nr: number;
  readonly arch: number;
  readonly instructionPointer?: bigint;
  readonly args?: readonly bigint[];
}

export interface Verdict {
  readonly action: number;
  /** Offsets of `struct seccomp_data` that were looked at. */
  readonly loaded: ReadonlySet<number>;
  readonly steps: number;
}

const dataSize = 64;

export function evaluateBpf(program: Uint8Array, call: SeccompData): Verdict {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const data = encodeData(call);
  const loaded = new Set<number>();
  let accumulator = 0;
  let at = 0;
  for (let steps = 1; ; steps++) {
    const offset = at * 8;
    if (offset >= program.length) throw new Error(`The program runs past its end, to instruction ${at}`);
    const [code, yes, no] = [view.getUint16(offset, true), view.getUint8(offset + 2), view.getUint8(offset + 3)];
    const k = view.getUint32(offset + 4, true);
    at += 1;
    if (code === 0x06) return { action: k, loaded, steps };
    if (code === 0x20) {
      if (k % 4 !== 0 || k >= dataSize) throw new Error(`The program loads from offset ${k}`);
      loaded.add(k);
      accumulator = data.getUint32(k, true);
    } else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else at += compare(code, accumulator, k) ? yes : no;
  }
}

function compare(code: number, accumulator: number, k: number): boolean {
  switch (code) {
    case 0x15:
      return accumulator === k;
    case 0x25:
      return accumulator > k;
    case 0x35:
      return accumulator >= k;
    case 0x45:
      return (accumulator & k) !== 0;
    default:
      throw new Error(`The program has an instruction of code 0x${code.toString(16)}`);
  }
}

function encodeData({ nr, arch, instructionPointer = 0n, args = [] }: SeccompData): DataView {
  const data = new DataView(new ArrayBuffer(dataSize));
  data.setInt32(0, nr, true);
  data.setUint32(4, arch, true);
  data.setBigUint64(8, instructionPointer, true);
  for (const [index, argument] of args.entries()) data.setBigUint64(16 + 8 * index, argument, true);
  return data;
}
