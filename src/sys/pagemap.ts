/**
 * Which pages of a process hold content of their own. PAGEMAP_SCAN (Linux 6.7) skips what was never touched, the zero
 * page and clean file pages; without it /proc/PID/pagemap is read word by word (zero pages then count as content).
 * See Documentation/admin-guide/mm/pagemap.rst.
 */
import fs from 'node:fs';
import { call } from './gate.ts';
import { arena, Memory, scratch } from './memory.ts';
import { must } from './errors.ts';
import { nr } from './x64/numbers.ts';
import type { Range } from './remote_memory.ts';

export const pageSize = 4096;
const pagemapScan = 0xc0606610;
const category = { file: 4, present: 8, swapped: 16, pfnZero: 32 } as const;
const argumentsAt = scratch(96);
const regionCount = 8192;
const regions = Memory.anonymous(24 * regionCount);

export class PageMap {
  readonly #fd: number;
  #scan: boolean;

  constructor(pid: number, options: { scan?: boolean } = {}) {
    this.#fd = fs.openSync(`/proc/${pid}/pagemap`, 'r');
    this.#scan = options.scan ?? true;
  }

  /** Adds to `out` the runs of [start, end) with private content; `file`: the mapping's clean pages come from a file. */
  collect(start: number, end: number, file: boolean, out: Range[]): void {
    if (this.#scan && this.#collectByScan(start, end, file, out)) return;
    this.#scan = false;
    this.#collectByWords(start, end, file, out);
  }

  #collectByScan(start: number, end: number, file: boolean, out: Range[]): boolean {
    const excluded = category.pfnZero | (file ? category.file : 0);
    let from = start;
    while (from < end) {
      const words = [
        96,
        0,
        from,
        end,
        0,
        regions.address,
        regionCount,
        0,
        excluded,
        excluded,
        category.present | category.swapped,
        category.present,
      ];
      words.forEach((word, i) => arena.write64(argumentsAt + 8 * i, word));
      const count = call(nr.ioctl, this.#fd, pagemapScan, arena.address + argumentsAt);
      if (count === -25 /* ENOTTY */ || count === -22 /* EINVAL */) return false;
      must(count, 'ioctl PAGEMAP_SCAN', { start: from.toString(16), end: end.toString(16) });
      for (let i = 0; i < count; i++) append(out, regions.read64(24 * i), regions.read64(24 * i + 8));
      from = arena.read64(argumentsAt + 32);
    }
    return true;
  }

  #collectByWords(start: number, end: number, file: boolean, out: Range[]): void {
    const bytes = Buffer.alloc(65536);
    for (let page = start / pageSize; page < end / pageSize;) {
      const wanted = Math.min(bytes.length, (end / pageSize - page) * 8);
      const got = fs.readSync(this.#fd, bytes, 0, wanted, page * 8);
      if (got === 0) return;
      for (let i = 0; i + 8 <= got; i += 8, page++) {
        const high = bytes.readUInt32LE(i + 4);
        const present = (high & 0xc0000000) !== 0; // bit 63 present, bit 62 swapped
        const fromFile = (high & 0x20000000) !== 0; // bit 61 file page or shared anonymous
        if (present && !(file && fromFile)) append(out, page * pageSize, (page + 1) * pageSize);
      }
    }
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.#fd);
  }
}

function append(out: Range[], start: number, end: number): void {
  const last = out[out.length - 1];
  if (last && last.address + last.length === start) last.length = end - last.address;
  else out.push({ address: start, length: end - start });
}
