/** What a body uses on its hosting node. */
import type { CallCounts } from './call_statistics.ts';

export interface BodyUse {
  memoryBytes: number;
  /** Nanoseconds, since the program began. */
  cpuTime: number;
  /** Since it arrived there. */
  calls: CallCounts;
}
