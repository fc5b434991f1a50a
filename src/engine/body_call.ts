/** A trapped call of a body: reading its arguments' memory, and writing its results. */
import type { Memory } from '../sys/memory.ts';
import { peek, readInto, readRanges, writeFrom, writeRanges, type Range } from '../sys/remote_memory.ts';
import type { BodyMemory, BufferPlan } from '../sys/marshal.ts';
import { direction, encodeRequest, filled, padded, validBytes, type WireBuffer } from '../wire/call_messages.ts';
import { frameHeader, frameType } from '../wire/frames.ts';
import type { Frame, GuestLink } from './link.ts';
import { bouncePerSlot } from './stub.ts';

/** Bytes per `bulk` frame. */
const bulkChunk = 512 * 1024;
/** Room that the buffers' alignment may need in a slot's bounce memory. */
const alignmentRoom = 1024;

export const bodyMemory = (pid: number): BodyMemory => ({
  read: (address, length) => {
    const bytes = peek(pid, address, length);
    return bytes.length === length ? bytes : undefined;
  },
});

export interface BodyCall {
  /** The kernel's notification. */
  notification: bigint;
  id: number;
  nr: number;
  args: readonly bigint[];
  plan: readonly BufferPlan[];
  wire: readonly WireBuffer[];
  large: boolean;
  started: number;
  /** What to do with the result instead of giving it to the program. */
  onResult?: (result: number) => void;
  /** What to do with an answer that is more than a number. */
  onAnswer?: (frame: Frame) => void;
}

export function wireBuffers(plan: readonly BufferPlan[]): WireBuffer[] {
  return plan.map((b) => ({
    argument: b.argument,
    direction: b.direction === 'out' ? direction.out : b.direction === 'inout' ? direction.inout : direction.in,
    filled: b.filled === 'result' ? filled.result : filled.whole,
    unit: b.unit || 1,
    length: b.length,
  }));
}

/** More than a slot's bounce memory holds. */
export function isLarge(wire: readonly WireBuffer[]): boolean {
  return wire.reduce((sum, b) => sum + padded(b.length) + 64, 0) > bouncePerSlot - alignmentRoom;
}

function ranges(buffer: BufferPlan): Range[] {
  return buffer.segments
    ? buffer.segments.map((s) => ({ address: s.address, length: s.length }))
    : [{ address: buffer.address, length: buffer.length }];
}

function readBuffer(pid: number, buffer: BufferPlan, local: number): boolean {
  return buffer.segments
    ? readRanges(pid, ranges(buffer), local) === buffer.length
    : readInto(pid, buffer.address, buffer.length, local) === buffer.length;
}

/** Sends a call whose data fits one frame. @returns false when its arguments are not readable (EFAULT) */
export function sendCall(link: GuestLink, pid: number, tid: number, call: BodyCall): boolean {
  const { out } = link;
  let at = encodeRequest(out.view, frameHeader, {
    tid,
    nr: call.nr,
    args: [...call.args],
    large: false,
    buffers: [...call.wire],
  });
  for (let i = 0; i < call.wire.length; i++) {
    const buffer = call.wire[i];
    // Also what is only written to goes there, so that bytes the call does not touch come back as they were.
    if (buffer.filled === filled.result && buffer.direction === direction.out) continue;
    if (buffer.length && !readBuffer(pid, call.plan[i], out.address + at)) return false;
    at += padded(buffer.length);
  }
  link.sendFrame(frameType.request, at - frameHeader, call.id);
  return true;
}

/** Offsets of the buffers in a large transfer: one after the other, page-aligned. */
export function largeOffsets(wire: readonly WireBuffer[]): { offsets: number[]; total: number } {
  let total = 0;
  const offsets = wire.map((b) => {
    const at = total;
    total += (b.length + 4095) & ~4095;
    return at;
  });
  return { offsets, total };
}

/** Sends a call with large data in pieces. @returns false on EFAULT */
export async function sendLargeCall(link: GuestLink, pid: number, tid: number, call: BodyCall): Promise<boolean> {
  const header = (type: number): void => {
    const end = encodeRequest(link.out.view, frameHeader, {
      tid,
      nr: call.nr,
      args: [...call.args],
      large: true,
      buffers: [...call.wire],
    });
    link.sendFrame(type, end - frameHeader, call.id);
  };
  header(frameType.largeRequest);
  const { offsets } = largeOffsets(call.wire);
  for (let i = 0; i < call.wire.length; i++) {
    if (!(call.wire[i].direction & direction.in)) continue;
    let position = offsets[i];
    for (const segment of ranges(call.plan[i])) {
      for (let done = 0; done < segment.length;) {
        const part = Math.min(bulkChunk, segment.length - done);
        await link.drained();
        if (readInto(pid, segment.address + done, part, link.out.address + frameHeader + 8) !== part) return false;
        link.out.write64(frameHeader, position);
        link.sendFrame(frameType.bulk, 8 + part, call.id);
        done += part;
        position += part;
      }
    }
  }
  await link.drained();
  header(frameType.request);
  return true;
}

/** Writes a `bulk` frame of results where it belongs. */
export function receiveBulk(pid: number, call: BodyCall, frame: Frame): void {
  if (frame.length < 8) throw new RangeError(`Cannot read a bulk frame of ${frame.length} bytes`);
  const { offsets } = largeOffsets(call.wire);
  const position = Number(frame.memory.view.getBigUint64(frame.offset, true));
  let index = offsets.length - 1;
  while (index > 0 && offsets[index] > position) index--;
  let skip = position - offsets[index];
  let local = frame.memory.address + frame.offset + 8;
  let left = frame.length - 8;
  for (const segment of ranges(call.plan[index])) {
    if (skip >= segment.length) {
      skip -= segment.length;
      continue;
    }
    const part = Math.min(left, segment.length - skip);
    if (part > 0) writeFrom(pid, segment.address + skip, part, local);
    local += part;
    left -= part;
    skip = 0;
  }
}

/** Writes the results of a call from its reply. @returns the result, or -EFAULT */
export function receiveResults(pid: number, call: BodyCall, frame: Frame): number {
  const { memory, offset, length } = frame;
  if (length < 8) throw new RangeError(`Cannot read a reply of ${length} bytes`);
  const result = Number(memory.view.getBigInt64(offset, true));
  if (call.large) return result;
  let at = offset + 8;
  for (let i = 0; i < call.wire.length; i++) {
    const bytes = validBytes(call.wire[i], result);
    if (bytes === 0) continue;
    if (at + bytes > offset + length) throw new RangeError(`Cannot read a reply: ${length} bytes are too few`);
    if (!writeBuffer(pid, call.plan[i], bytes, memory, at)) return -14;
    at += padded(bytes);
  }
  return result;
}

function writeBuffer(pid: number, buffer: BufferPlan, bytes: number, memory: Memory, at: number): boolean {
  if (!buffer.segments) return writeFrom(pid, buffer.address, bytes, memory.address + at) === bytes;
  const parts: Range[] = [];
  let left = bytes;
  for (const segment of buffer.segments) {
    if (left <= 0) break;
    parts.push({ address: segment.address, length: Math.min(left, segment.length) });
    left -= segment.length;
  }
  return writeRanges(pid, parts, memory.address + at) === bytes;
}
