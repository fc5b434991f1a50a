/**
 * Forwarded calls on the wire (docs/internals/slots.md). A request describes its buffers itself, so that home needs to know nothing
 * about the call: it puts each buffer into bounce memory, lets the argument point there, and makes the call.
 *
 * request: u32 tid, u32 nr, 6 × u64 arguments, u32 buffers, u32 flags, then per buffer u8 argument, u8 direction,
 * u8 filled, u8 0, u32 unit, u64 length; then the bytes of the incoming buffers, each padded to 8.
 * reply: i64 result, then the bytes of the outgoing buffers, each padded to 8.
 */

export const direction = { in: 1, out: 2, inout: 3 } as const;
/** How much of an outgoing buffer is valid: all of it, or `unit` bytes per count of the result. */
export const filled = {
  whole: 0,
  result: 1,
  /** whole, and in the deputy's own memory at the argument's address */ inPlace: 2,
} as const;
/** The data went or goes by `bulk` frames. */
export const largeFlag = 1;

export const requestHeader = 64;
export const bufferHeader = 16;
/** Most buffers of one call; a hostile count ends the link. */
export const maximumBuffers = 8;

export interface WireBuffer {
  argument: number;
  direction: number;
  filled: number;
  unit: number;
  length: number;
}

export interface WireRequest {
  tid: number;
  nr: number;
  args: bigint[];
  large: boolean;
  buffers: WireBuffer[];
  /** Offset of the data after the request's start. */
  data: number;
}

export const padded = (length: number): number => (length + 7) & ~7;

/** Writes header and descriptors. @returns where the data begins */
export function encodeRequest(view: DataView, at: number, request: Omit<WireRequest, 'data'>): number {
  view.setUint32(at, request.tid, true);
  view.setUint32(at + 4, request.nr, true);
  for (let i = 0; i < 6; i++) view.setBigUint64(at + 8 + 8 * i, request.args[i] ?? 0n, true);
  view.setUint32(at + 56, request.buffers.length, true);
  view.setUint32(at + 60, request.large ? largeFlag : 0, true);
  let offset = at + requestHeader;
  for (const buffer of request.buffers) {
    view.setUint8(offset, buffer.argument);
    view.setUint8(offset + 1, buffer.direction);
    view.setUint8(offset + 2, buffer.filled);
    view.setUint8(offset + 3, 0);
    view.setUint32(offset + 4, buffer.unit, true);
    view.setBigUint64(offset + 8, BigInt(buffer.length), true);
    offset += bufferHeader;
  }
  return offset;
}

/** @throws RangeError on a malformed request */
export function decodeRequest(view: DataView, at: number, length: number): WireRequest {
  if (length < requestHeader) throw new RangeError(`Cannot read a request of ${length} bytes`);
  const count = view.getUint32(at + 56, true);
  if (count > maximumBuffers || requestHeader + count * bufferHeader > length)
    throw new RangeError(`Cannot read a request with ${count} buffers`);
  const buffers: WireBuffer[] = [];
  for (let i = 0, offset = at + requestHeader; i < count; i++, offset += bufferHeader) {
    const size = Number(view.getBigUint64(offset + 8, true));
    const argument = view.getUint8(offset);
    if (argument > 5 || size > 2 ** 31)
      throw new RangeError(`Cannot read a request: buffer of ${size} bytes for argument ${argument}`);
    buffers.push({
      argument,
      direction: view.getUint8(offset + 1),
      filled: view.getUint8(offset + 2),
      unit: view.getUint32(offset + 4, true),
      length: size,
    });
  }
  const args: bigint[] = [];
  for (let i = 0; i < 6; i++) args.push(view.getBigUint64(at + 8 + 8 * i, true));
  return {
    tid: view.getUint32(at, true),
    nr: view.getUint32(at + 4, true),
    args,
    large: (view.getUint32(at + 60, true) & largeFlag) !== 0,
    buffers,
    data: requestHeader + count * bufferHeader,
  };
}

/** Valid bytes of an outgoing buffer after a call. */
export function validBytes(buffer: WireBuffer, result: number): number {
  if (!(buffer.direction & direction.out)) return 0;
  const failed = result < 0 && result > -4096;
  if (buffer.filled === filled.result) return failed ? 0 : Math.min(buffer.length, Math.max(0, result) * buffer.unit);
  // What is read and written may change in a failed call too (nanosleep's remaining time).
  return failed && buffer.direction === direction.out ? 0 : buffer.length;
}
