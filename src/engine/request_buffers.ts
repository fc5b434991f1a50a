/** The buffers of a request: where a call at home finds its data, and where it leaves it. */
import { readInto, writeFrom } from '../sys/remote_memory.ts';
import { direction, filled, padded, type WireRequest } from '../wire/call_messages.ts';
import type { Frame } from './link.ts';
import type { Stub } from './stub.ts';

/** Copies incoming data to the slot's bounce memory. @returns the buffers' offsets there */
export function placeBuffers(stub: Stub, slot: number, wire: WireRequest, frame: Frame): number[] {
  const { memory } = stub;
  const base = stub.bounceOffset(slot);
  let from = frame.offset + wire.data;
  let to = 0;
  return wire.buffers.map((buffer) => {
    const at = to;
    to += (buffer.length + 63) & ~63;
    if (to > stub.bounceOffset(1) - stub.bounceOffset(0))
      throw new RangeError('Cannot serve a request larger than bounce memory');
    if (buffer.filled === filled.result && buffer.direction === direction.out) return at;
    if (from + buffer.length > frame.offset + frame.length)
      throw new RangeError('Cannot serve a request with too little data');
    memory.u8.set(frame.memory.u8.subarray(from, from + buffer.length), base + at);
    from += padded(buffer.length);
    return at;
  });
}

/** Copies between the slot's bounce memory and the deputy's own memory at the argument's address. */
export function copyInPlace(
  stub: Stub,
  slot: number,
  what: { wire: WireRequest; buffer: WireRequest['buffers'][number]; offset: number; way: 'there' | 'back' },
): void {
  const { wire, buffer, offset, way } = what;
  const local = stub.memory.address + stub.bounceOffset(slot) + offset;
  const address = Number(wire.args[buffer.argument]);
  if (way === 'there') writeFrom(stub.pid, address, buffer.length, local);
  else readInto(stub.pid, address, buffer.length, local);
}
