/** The thread that waits for doorbells (see doorbells.ts). It only reads memory in ways that survive its being unmapped. */
import { isMainThread, workerData } from 'node:worker_threads';
import { ring } from '../sys/descriptors.ts';
import { kernel } from '../sys/kernel.ts';
import { arena, Memory, scratch } from '../sys/memory.ts';
import { serveThisThreadSoon } from '../sys/priority.ts';
import { readInto, readRanges } from '../sys/remote_memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import { boardSize, maximumBells, putWaiter, waiterSize, type BellSettings } from './doorbell_board.ts';

const EFAULT = -14;

const waiters = scratch(waiterSize * (maximumBells + 1));
const wordsAt = scratch(4 * maximumBells);

/** The words' values; undefined where the memory is gone. */
function look(addresses: readonly number[]): (number | undefined)[] {
  const words = addresses.map((address) => ({ address, length: 4 }));
  const local = arena.address + wordsAt;
  if (readRanges(process.pid, words, local) === 4 * words.length)
    return addresses.map((_, i) => arena.u32[(wordsAt >> 2) + i]);
  return addresses.map((address) =>
    readInto(process.pid, address, 4, local) === 4 ? arena.u32[wordsAt >> 2] : undefined,
  );
}

function waitForBells({ board: boardAddress, event }: BellSettings): never {
  const board = new Memory(boardAddress, boardSize);
  const seen = new Map<number, number>();
  for (;;) {
    const change = Atomics.load(board.i32, 0) >>> 0;
    const count = Math.min(board.u32[1], maximumBells);
    putWaiter(waiters, 0, boardAddress, change);
    let used = 1;
    let rung = false;
    const addresses = Array.from({ length: count }, (_, i) => board.read64(8 + 8 * i));
    const values = look(addresses);
    for (const [i, address] of addresses.entries()) {
      const value = values[i];
      if (value === undefined) continue;
      if (seen.has(address) && seen.get(address) !== value) rung = true;
      seen.set(address, value);
      putWaiter(waiters, used++, address, value);
    }
    if (rung) {
      ring(event);
      continue;
    }
    const result = kernel.call(nr.futex_waitv, arena.address + waiters, used, 0, 0, 0);
    // A bell went away between the look and the wait: wait for the board to change.
    if (result === EFAULT) kernel.call(nr.futex, boardAddress, 0, change, 0, 0, 0);
  }
}

if (!isMainThread) {
  serveThisThreadSoon(false);
  waitForBells(workerData as BellSettings); // cast: doorbells.ts gives nothing else
}
