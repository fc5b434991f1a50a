/** What an engine worker and its doorbell thread share. */

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
