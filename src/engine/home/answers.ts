/** How the result of a call that was made at home goes back: in one `reply`, or as `bulk` frames and a bare one. */
import { readInto } from '../../sys/remote_memory.ts';
import { filled, padded, validBytes } from '../../wire/call_messages.ts';
import { frameHeader, frameType } from '../../wire/frames.ts';
import type { PendingRequest } from './deputy_thread.ts';
import type { GuestLink } from '../link/link.ts';
import { copyInPlace } from './request_buffers.ts';
import type { Stub } from '../task/stub.ts';

/** Bytes per `bulk` frame. */
const bulkChunk = 512 * 1024;

function validOf({ wire, offsets, memory }: PendingRequest, index: number, result: number): number {
  return validBytes(wire.buffers[index], result, (buffer, at) => memory.word(offsets[buffer] + at));
}

/** Sends a bare result. */
export function sendResult(link: GuestLink, id: number, result: number): void {
  link.out.view.setBigInt64(frameHeader, BigInt(result), true);
  link.sendFrame(frameType.reply, 8, id);
}

/** Sends a result with what the call wrote to the slot's bounce memory. */
export function sendAnswer(
  link: GuestLink,
  from: { stub: Stub; slot: number; request: PendingRequest },
  result: number,
): void {
  const { stub, slot, request } = from;
  const { out } = link;
  const bounce = stub.bounceMemory(slot);
  let at = frameHeader + 8;
  out.view.setBigInt64(frameHeader, BigInt(result), true);
  request.wire.buffers.forEach((buffer, i) => {
    const bytes = validOf(request, i, result);
    if (bytes === 0) return;
    const offset = request.offsets[i];
    if (buffer.filled === filled.inPlace) copyInPlace(stub, slot, { wire: request.wire, buffer, offset, way: 'back' });
    out.u8.set(bounce.u8.subarray(offset, offset + bytes), at);
    at += padded(bytes);
  });
  link.sendFrame(frameType.reply, at - frameHeader, request.id);
}

/** Sends what a call wrote to the memory that was mapped for it. @throws LinkClosed */
export async function sendLargeData(
  link: GuestLink,
  pid: number,
  request: PendingRequest,
  result: number,
): Promise<void> {
  const { address } = request.memory;
  for (let i = 0; i < request.wire.buffers.length; i++) {
    const bytes = validOf(request, i, result);
    for (let done = 0; done < bytes;) {
      await link.drained();
      const part = Math.min(bulkChunk, bytes - done);
      const position = request.offsets[i] + done;
      link.out.write64(frameHeader, position);
      readInto(pid, address + position, part, link.out.address + frameHeader + 8);
      link.sendFrame(frameType.bulk, 8 + part, request.id);
      done += part;
    }
  }
}
