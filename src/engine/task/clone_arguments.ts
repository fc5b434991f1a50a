/** struct clone_args (clone(2)) for a call that a stopped task makes for the engine. */
import { nr } from '../../sys/x64/numbers.ts';
import { layout, type InjectedCall, type Stub } from './stub.ts';

/** linux/sched.h */
export const cloneFlag = {
  vm: 0x100,
  fs: 0x200,
  files: 0x400,
  sighand: 0x800,
  pidfd: 0x1000,
  vfork: 0x4000,
  parent: 0x8000,
  thread: 0x10000,
  sysvsem: 0x40000,
  settls: 0x80000,
  parentSettid: 0x100000,
  childCleartid: 0x200000,
  childSettid: 0x1000000,
  io: 0x80000000,
  clearSighand: 2 ** 32,
} as const;

/**
 * struct clone_args (88 bytes): flags 0, exit_signal 32, set_tid 64, set_tid_size 72; clone(2).
 * @param options `at`: offset in the scratch area, of 128 bytes
 */
export function writeCloneArguments(
  stub: Stub,
  options: { flags: number; exitSignal: number; tid: number; at?: number },
): InjectedCall {
  const { memory } = stub;
  const { at = 0 } = options;
  const place = layout.scratch + at;
  memory.u8.fill(0, place, place + 128);
  memory.write64(place, options.flags);
  memory.write64(place + 32, options.exitSignal);
  if (options.tid) {
    memory.write64(place + 64, stub.scratchAddress(at + 100));
    memory.write64(place + 72, 1);
    memory.u32[(place + 100) / 4] = options.tid;
  }
  return [nr.clone3, stub.scratchAddress(at), 88];
}
