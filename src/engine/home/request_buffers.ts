/** The buffers of a request: where a call at home finds its data, and where it leaves it. */
import { peek, poke, readInto, writeFrom } from '../../sys/remote_memory.ts';
import { filled, goesAlong, noArgument, padded, type WireRequest } from '../../wire/call_messages.ts';
import type { Frame } from '../link/link.ts';
import { bouncePerSlot, type Stub } from '../task/stub.ts';

/** The memory that a request's buffers lie in: its slot's bounce memory, or what was mapped for this one call. */
export interface RequestMemory {
  /** Its start as the deputy sees it. */
  readonly address: number;
  /** Changes some bytes. */
  edit(offset: number, length: number, change: (view: DataView) => void): void;
  word(offset: number): number;
}

export function bounceMemory(stub: Stub, slot: number): RequestMemory {
  const { view } = stub.bounceMemory(slot);
  return {
    address: stub.bounceAddress(slot),
    edit: (offset, length, change) => change(new DataView(view.buffer, view.byteOffset + offset, length)),
    word: (offset) => view.getUint32(offset, true),
  };
}

export function mappedMemory(pid: number, address: number): RequestMemory {
  const read = (offset: number, length: number): Uint8Array => {
    const bytes = peek(pid, address + offset, length);
    if (bytes.length < length) throw new RangeError(`Cannot read ${length} bytes of a request's memory`);
    return bytes;
  };
  return {
    address,
    edit: (offset, length, change) => {
      const bytes = read(offset, length);
      change(new DataView(bytes.buffer, bytes.byteOffset, length));
      poke(pid, address + offset, bytes);
    },
    word: (offset) => Buffer.from(read(offset, 4)).readUInt32LE(),
  };
}

/** Copies incoming data to the slot's bounce memory. */
export function placeBuffers(
  stub: Stub,
  slot: number,
  what: { wire: WireRequest; offsets: readonly number[]; total: number; frame: Frame },
): void {
  const { wire, offsets, frame } = what;
  const memory = stub.bounceMemory(slot);
  if (what.total > bouncePerSlot) throw new RangeError('Cannot serve a request larger than bounce memory');
  let from = frame.offset + wire.data;
  wire.buffers.forEach((buffer, i) => {
    if (!goesAlong(buffer)) return;
    if (from + buffer.length > frame.offset + frame.length)
      throw new RangeError('Cannot serve a request with too little data');
    memory.u8.set(frame.memory.u8.subarray(from, from + buffer.length), offsets[i]);
    from += padded(buffer.length);
  });
}

/** Turns the distances in buffers into addresses. */
export function setPointers(wire: WireRequest, offsets: readonly number[], memory: RequestMemory): void {
  for (const { holder, target, offset, stride, count } of wire.pointers) {
    const start = BigInt(memory.address + offsets[target]);
    memory.edit(offsets[holder], wire.buffers[holder].length, (view) => {
      for (let i = 0, at = offset; i < count; i++, at += stride)
        view.setBigUint64(at, BigInt.asUintN(64, view.getBigUint64(at, true) + start), true);
    });
  }
}

/** Copies between the slot's bounce memory and the deputy's own memory at the argument's address. */
export function copyInPlace(
  stub: Stub,
  slot: number,
  what: { wire: WireRequest; buffer: WireRequest['buffers'][number]; offset: number; way: 'there' | 'back' },
): void {
  const { wire, buffer, offset, way } = what;
  const local = stub.bounceMemory(slot).address + offset;
  const address = Number(wire.args[buffer.argument]);
  if (way === 'there') writeFrom(stub.view, address, buffer.length, local);
  else readInto(stub.view, address, buffer.length, local);
}

/** The arguments of a request: addresses in its memory; what is filled in place goes where it belongs. */
export function placedArguments(
  stub: Stub,
  slot: number,
  { wire, offsets, memory }: { wire: WireRequest; offsets: readonly number[]; memory: RequestMemory },
): bigint[] {
  const args = [...wire.args];
  wire.buffers.forEach((buffer, i) => {
    if (buffer.filled === filled.inPlace) copyInPlace(stub, slot, { wire, buffer, offset: offsets[i], way: 'there' });
    else if (buffer.argument !== noArgument) args[buffer.argument] = BigInt(memory.address + offsets[i]);
  });
  return args;
}
