/** Where everything lies in the stub page set, and the machine code in it; see docs/internals/address_space.md. */
import { stubCode } from '../../sys/x64/stub_code.ts';

export const layout = {
  code: 0,
  codeSize: 0x1000,
  /** Says that these pages are a stub; see left_over.ts. */
  mark: 0xf00,
  /** u32 count of finished calls, then u32 "somebody sleeps on it". */
  doorbell: 0x1000,
  escapeContext: 0x1100,
  /** The program's own SIGTRAP action while ours is installed. */
  trapAction: 0x1200,
  /** siginfo of a SIGTRAP that goes back into the process's queue. */
  trapInfo: 0x1280,
  recorder: 0x2000,
  slots: 0x4000,
  slotCount: 512,
  table: 0x14000,
  tableEntries: 1023,
  scratch: 0x24000,
  scratchSize: 0x10000,
  size: 0x34000,
} as const;

/** Bounce memory of one slot; larger transfers use memory mapped for the one call. */
export const bouncePerSlot = 128 * 1024;
export const bounceSize = layout.slotCount * bouncePerSlot;

export const code = stubCode({
  escapeContext: layout.escapeContext,
  trapAction: layout.trapAction,
  recorder: layout.recorder,
});
export const stubLength = layout.codeSize;

/** An injected call: number and arguments. Wide arguments may be bigint. */
export type InjectedCall = readonly [number, ...(number | bigint)[]];
