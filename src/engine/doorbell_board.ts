/** What an engine worker and its doorbell thread share. */
import { arena } from '../sys/memory.ts';

/** futex_waitv takes 128 words; the first is the board's own. */
export const maximumBells = 127;
/** u32 change counter, u32 count, then u64 addresses. */
export const boardSize = 4096;

export interface BellSettings {
  /** Address of the board in this process. */
  board: number;
  /** eventfd to write to when a bell has rung. */
  event: number;
}

const FUTEX_32 = 2;
/** struct futex_waitv: u64 value, u64 address, u32 flags, u32 zero (linux/futex.h). */
export const waiterSize = 24;

/** Writes one of futex_waitv(2)'s waiters into scratch memory. */
export function putWaiter(at: number, index: number, address: number, value: number): void {
  arena.write64(at + waiterSize * index, value);
  arena.write64(at + waiterSize * index + 8, address);
  arena.write64(at + waiterSize * index + 16, FUTEX_32);
}
