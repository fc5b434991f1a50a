/** Large transfers at home: memory is mapped in the deputy for one call, and filled by `bulk` frames before it is made. */
import { writeFrom } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { placesOf, type WireRequest } from '../../wire/call_messages.ts';
import type { DeputyThread } from './deputy_thread.ts';
import { frameNumber, type Frame } from '../link/link.ts';
import type { InjectedCall } from '../task/stub.ts';

/** Maps the memory; address 0 says that there is none. */
export function announceLarge(
  make: (...call: InjectedCall) => number,
  thread: DeputyThread,
  wire: WireRequest,
  id: number,
): void {
  const { total } = placesOf(wire.buffers);
  const address = make(nr.mmap, 0, total, 3, 0x4022, -1, 0);
  thread.large = { id, address: Math.max(0, address), total };
}

/** Puts a piece of the data where its request was announced. */
export function placeBulk(pid: number, threads: Iterable<DeputyThread>, frame: Frame): void {
  const thread = [...threads].find((t) => t.large?.id === frame.id);
  const offset = frame.length >= 8 ? frameNumber(frame, 0) : -1;
  const length = frame.length - 8;
  if (!thread?.large || offset < 0 || offset + length > thread.large.total)
    throw new RangeError('Cannot place bulk data that no request announced');
  if (thread.large.address)
    writeFrom(pid, thread.large.address + offset, length, frame.memory.address + frame.offset + 8);
}

export function unmapLarge(make: (...call: InjectedCall) => number, thread: DeputyThread): void {
  const { address, total } = thread.large!;
  make(nr.munmap, address, total);
  thread.large = undefined;
}
