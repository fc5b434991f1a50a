/** One forwarded call of a body: its buffers are read from the body's memory, sent home, and its results written back. */
import type { MappingQuery } from '../../sys/mapping_query.ts';
import { Memory } from '../../sys/memory.ts';
import { peek, poke, readInto, readRanges, writeFrom, writeRanges, type Range } from '../../sys/remote_memory.ts';
import {
  badAddress,
  type BodyMemory,
  type BufferPlan,
  type ForwardPlan,
  type Part,
  type PointerPlan,
} from '../../sys/marshal.ts';
import {
  anyPlace,
  direction,
  encodeRequest,
  filled,
  goesAlong,
  noArgument,
  padded,
  placesOf,
  validBytes,
  type WireBuffer,
} from '../../wire/call_messages.ts';
import { frameHeader, frameType } from '../../wire/frames.ts';
import type { Frame, GuestLink } from '../link/link.ts';
import { bouncePerSlot } from '../task/stub.ts';

/** Bytes per `bulk` frame. */
const bulkChunk = 512 * 1024;
/** From this many bytes on a buffer may be meant for direct I/O, which wants it aligned. */
const smallestBlock = 512;
const pageSize = 4096;

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
  pointers?: readonly PointerPlan[];
  /** Its data gets memory of its own at home, although it may be small: the kernel keeps using it after the call. */
  ownMemory?: boolean;
  large: boolean;
  started: number;
  /** When it began to wait, if it is a wait that had been cut short and goes on; else as `started`. */
  began: number;
  /** The call as the program made it. */
  trapped: { readonly nr: number; readonly args: readonly bigint[] };
  /** The restart code that it was cut short by before, if it is made again. */
  cutBy?: number | undefined;
  /** The signal mask that it waits with, if not the thread's own. */
  mask?: bigint;
  /** Of SIGTTIN and SIGTTOU those that its thread blocks. */
  blocked?: number;
  /** What came in a buffer of which no part belongs to the body: it is for the engine. */
  kept?: Uint8Array;
  /** There is a buffer that can be written only in part. */
  torn?: boolean;
  /** Bulk results had no memory to go to. */
  unwritten?: boolean;
  /** What to do with the result instead of giving it to the program. */
  onResult?: (result: number) => void;
  /** `onResult` gets restart codes, too. */
  always?: boolean;
  /** What to do with an answer that is more than a number. */
  onAnswer?: (frame: Frame) => void;
}

/**
 * A call as it comes out of the filter.
 * @param id its number on the link
 * @param begin says when a call that comes now began
 */
export function trappedCall(
  id: number,
  trapped: { id: bigint; nr: number; args: readonly bigint[] },
  begin: (now: number) => number,
): BodyCall {
  const started = performance.now();
  return {
    notification: trapped.id,
    id,
    nr: trapped.nr,
    args: trapped.args,
    plan: [],
    wire: [],
    large: false,
    started,
    began: begin(started),
    trapped: { nr: trapped.nr, args: trapped.args },
  };
}

/** The call as its plan has it made at home. */
export function plannedCall(call: BodyCall, plan: ForwardPlan): BodyCall {
  const { nr, args, buffers, pointers, ownMemory } = plan;
  return { ...call, nr, args, plan: buffers, wire: wireBuffers(buffers), pointers, ownMemory };
}

export function wireBuffers(plan: readonly BufferPlan[]): WireBuffer[] {
  return plan.map((b) => ({
    argument: b.argument,
    direction: b.direction === 'out' ? direction.out : b.direction === 'inout' ? direction.inout : direction.in,
    filled: filled[b.filled],
    unit: b.unit,
    length: b.length,
    place: b.length < smallestBlock || b.contents ? anyPlace : b.address % pageSize,
    countedBy: b.counted?.buffer ?? 0,
    extra: b.counted?.at ?? b.plus ?? 0,
  }));
}

/** Whether the call needs memory of its own at home: more than a slot's bounce memory holds, or for longer than the call. */
export function isLarge({ wire, ownMemory }: Pick<BodyCall, 'wire' | 'ownMemory'>): boolean {
  const { total } = placesOf(wire);
  return total > bouncePerSlot || (ownMemory === true && total > 0);
}

/** Where in the body the parts of a buffer belong. */
function partsOf(buffer: BufferPlan): readonly Part[] {
  if (buffer.back) return buffer.back;
  const { segments } = buffer;
  if (!segments) return [{ offset: 0, address: buffer.address, length: buffer.length }];
  let offset = 0;
  return segments.map(({ address, length }) => {
    const part = { offset, address, length };
    offset += length;
    return part;
  });
}

/** The ranges in the body's memory for the bytes of a buffer from `from` on. */
function rangesBetween(buffer: BufferPlan, from: number, to: number): (Range & { offset: number })[] {
  return partsOf(buffer).flatMap(({ offset, address, length }) => {
    const start = Math.max(from, offset);
    const end = Math.min(to, offset + length);
    return start < end ? [{ offset: start, address: address + start - offset, length: end - start }] : [];
  });
}

/** Copies from the body. @returns how many bytes of the buffer could be read */
function readBuffer(pid: number, buffer: BufferPlan, local: number): number {
  const { segments, address, length } = buffer;
  return Math.max(0, segments ? readRanges(pid, segments, local) : readInto(pid, address, length, local));
}

function encode(link: GuestLink, tid: number, call: BodyCall): number {
  const { nr, large, pointers = [] } = call;
  const waited = call.began === call.started ? 0 : performance.now() - call.began;
  const { blocked = 0 } = call;
  const request = { tid, nr, args: [...call.args], large, buffers: [...call.wire], pointers, waited, blocked };
  return encodeRequest(link.out.view, frameHeader, request);
}

/**
 * How sending a call went. `bad`: not one byte can be read at that buffer's address. `torn`: some bytes can be read and
 * others cannot; only the kernel knows which part of the call such a program gets.
 */
export type Sent = 'sent' | 'torn' | { readonly bad: number };

/** Sends a call whose data fits one frame. */
export function sendCall(link: GuestLink, pid: number, tid: number, call: BodyCall): Sent {
  const { out } = link;
  if (call.torn) return 'torn';
  let at = encode(link, tid, call);
  for (let i = 0; i < call.wire.length; i++) {
    const { length } = call.wire[i];
    const { contents } = call.plan[i];
    if (!goesAlong(call.wire[i]) || length === 0) continue;
    if (contents) out.u8.set(contents, at);
    else {
      const got = readBuffer(pid, call.plan[i], out.address + at);
      if (got < length) return got > 0 ? 'torn' : { bad: i };
    }
    at += padded(length);
  }
  link.sendFrame(frameType.request, at - frameHeader, call.id);
  return 'sent';
}

/**
 * The call without those buffers that could not be written back: else it would take data at home (a message, bytes of
 * a pipe) that the program never gets; or `torn`, where only a part of it could.
 */
export function withoutUnwritable(call: BodyCall, mappings: MappingQuery): BodyCall {
  let checked = call;
  for (let i = 0; i < call.plan.length; i++) {
    const buffer = call.plan[i];
    if (buffer.direction === 'in' || buffer.direction === 'string' || buffer.contents) continue;
    const parts = rangesBetween(buffer, 0, buffer.length).map(({ address, length }) =>
      mappings.writable(address, length),
    );
    if (parts[0] === 'none' && buffer.direction === 'out') checked = withoutBuffer(checked, i);
    else if (parts.some((part) => part === 'part' || part === 'none')) return { ...checked, torn: true };
  }
  return checked;
}

/** The call with an address where nothing is, in place of that buffer: home's kernel says what that means. */
export function withoutBuffer(call: BodyCall, index: number): BodyCall {
  const empty: BufferPlan = {
    argument: noArgument,
    address: 0,
    length: 0,
    direction: 'in',
    filled: 'whole',
    unit: 1,
    contents: new Uint8Array(),
  };
  const { argument } = call.plan[index];
  const args = argument === noArgument ? call.args : call.args.with(argument, badAddress);
  const leading = (call.pointers ?? []).filter(({ target }) => target === index);
  const plan = call.plan.with(index, empty).map((buffer, i) => {
    const spots = leading.filter(({ holder }) => holder === i);
    return spots.length && buffer.contents ? { ...buffer, contents: spoiled(buffer.contents, spots) } : buffer;
  });
  const pointers = (call.pointers ?? []).filter(({ target }) => target !== index);
  return { ...call, args, plan, wire: wireBuffers(plan), pointers };
}

function spoiled(contents: Uint8Array, spots: readonly PointerPlan[]): Uint8Array {
  const copy = contents.slice();
  const view = new DataView(copy.buffer);
  for (const { offset, stride, count } of spots)
    for (let i = 0; i < count; i++) view.setBigUint64(offset + i * stride, badAddress, true);
  return copy;
}

/** Sends a call with large data in pieces. */
export async function sendLargeCall(link: GuestLink, pid: number, tid: number, call: BodyCall): Promise<Sent> {
  if (call.torn) return 'torn';
  using probe = Memory.anonymous(pageSize);
  for (let i = 0; i < call.wire.length; i++) {
    const { address, length, direction: way, contents } = call.plan[i];
    if (length > 0 && way !== 'out' && !contents && readInto(pid, address, 1, probe.address) !== 1) return { bad: i };
  }
  link.sendFrame(frameType.largeRequest, encode(link, tid, call) - frameHeader, call.id);
  const { offsets } = placesOf(call.wire);
  for (let i = 0; i < call.wire.length; i++) {
    if (!(call.wire[i].direction & direction.in)) continue;
    if (!(await sendBulk(link, pid, { call, buffer: call.plan[i], start: offsets[i] }))) return 'torn';
  }
  await link.drained();
  link.sendFrame(frameType.request, encode(link, tid, call) - frameHeader, call.id);
  return 'sent';
}

/** @returns false when a part of the buffer cannot be read */
async function sendBulk(
  link: GuestLink,
  pid: number,
  { call, buffer, start }: { call: BodyCall; buffer: BufferPlan; start: number },
): Promise<boolean> {
  const { contents, length, segments = [{ address: buffer.address, length }] } = buffer;
  const pieces = contents ? [{ address: 0, length }] : segments;
  let position = 0;
  for (const { address, length: size } of pieces) {
    for (let done = 0; done < size;) {
      const part = Math.min(bulkChunk, size - done);
      await link.drained();
      if (contents) link.out.u8.set(contents.subarray(position, position + part), frameHeader + 8);
      else if (readInto(pid, address + done, part, link.out.address + frameHeader + 8) !== part) return false;
      link.out.write64(frameHeader, start + position);
      link.sendFrame(frameType.bulk, 8 + part, call.id);
      done += part;
      position += part;
    }
  }
  return true;
}

/** Writes a `bulk` frame of results where it belongs. */
export function receiveBulk(pid: number, call: BodyCall, frame: Frame): void {
  if (frame.length < 8) throw new RangeError(`Cannot read a bulk frame of ${frame.length} bytes`);
  const { offsets } = placesOf(call.wire);
  const position = Number(frame.memory.view.getBigUint64(frame.offset, true));
  let index = offsets.length - 1;
  while (index > 0 && offsets[index] > position) index--;
  const from = position - offsets[index];
  const local = frame.memory.address + frame.offset + 8;
  for (const { offset, address, length } of rangesBetween(call.plan[index], from, from + frame.length - 8)) {
    const wrote = writeFrom(pid, address, length, local + offset - from);
    if (wrote !== length) call.unwritten = true;
  }
}

/** Writes the results of a call from its reply. @returns the result, or -EFAULT */
export function receiveResults(pid: number, call: BodyCall, frame: Frame): number {
  const { memory, offset, length } = frame;
  if (length < 8) throw new RangeError(`Cannot read a reply of ${length} bytes`);
  const result = Number(memory.view.getBigInt64(offset, true));
  if (call.large) return call.unwritten ? EFAULT : result;
  const starts: number[] = [];
  let at = offset + 8;
  let complete = true;
  for (let i = 0; i < call.wire.length; i++) {
    starts.push(at);
    const bytes = validBytes(call.wire[i], result, (buffer, word) =>
      memory.view.getUint32(starts[buffer] + word, true),
    );
    if (bytes === 0) continue;
    if (at + bytes > offset + length) throw new RangeError(`Cannot read a reply: ${length} bytes are too few`);
    if (call.plan[i].back?.length === 0) call.kept = memory.u8.slice(at, at + bytes);
    complete = writeBuffer(pid, call.plan[i], { bytes, local: memory.address + at }) && complete;
    at += padded(bytes);
  }
  return complete ? result : EFAULT;
}

const EFAULT = -14;

function writeBuffer(pid: number, buffer: BufferPlan, { bytes, local }: { bytes: number; local: number }): boolean {
  if (!buffer.back && !buffer.segments) return writeFrom(pid, buffer.address, bytes, local) === bytes;
  const parts = rangesBetween(buffer, 0, bytes);
  if (!buffer.back) return writeRanges(pid, parts, local) === bytes;
  return parts.every(({ offset, address, length }) => writeFrom(pid, address, length, local + offset) === length);
}

/** Writes into a body's memory. @returns false where it may not */
export function writeInto(pid: number, address: number, bytes: Uint8Array): boolean {
  try {
    poke(pid, address, bytes);
    return true;
  } catch {
    return false;
  }
}
