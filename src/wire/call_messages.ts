/**
 * Forwarded calls on the wire (docs/internals/slots.md). A request describes its buffers itself, so that home needs to know nothing
 * about the call: it puts each buffer into bounce memory, lets the argument point there, and makes the call.
 *
 * request: u32 tid, u32 nr, 6 × u64 arguments, u32 buffers, u32 flags, u32 pointers, u32 blocked, f64 waited;
 * per buffer u8 argument, u8 direction, u8 filled, u8 0, u32 unit, u64 length, u16 place, u16 counting buffer, u32 extra;
 * per pointer u16 holder, u16 target, u32 offset, u32 stride, u32 count;
 * then the bytes of the incoming buffers, each padded to 8.
 * reply: i64 result, then the bytes of the outgoing buffers, each padded to 8.
 */

export const direction = { in: 1, out: 2, inout: 3 } as const;
/** How much of an outgoing buffer is valid. */
export const filled = {
  /** All of it; nothing if the call failed and the buffer is only filled. */
  whole: 0,
  /** `unit` bytes per count of the result and `extra` more; nothing if the call failed. */
  result: 1,
  /** As whole, and in the deputy's own memory at the argument's address. */
  inPlace: 2,
  /** All of it; nothing if the call failed, also when the buffer brought something along. */
  success: 3,
  /** The result counts elements, and this buffer belongs to element number `unit`: all of it, if there is such an element. */
  element: 4,
  /** As element, but only as many bytes as the u32 at `extra` in the counting buffer says. */
  counted: 5,
} as const;
/** The data went or goes by `bulk` frames. */
export const largeFlag = 1;
/** `argument` of a buffer that no argument points to, only pointers in other buffers (or nobody). */
export const noArgument = 255;
/** `place` of a buffer that may lie anywhere. Others keep their place within a page: direct I/O asks for alignment. */
export const anyPlace = 0xffff;

export const requestHeader = 80;
export const bufferHeader = 24;
export const pointerHeader = 16;
/** Most buffers and most pointers of one call: three for each of 1024 messages. A hostile count ends the link. */
export const maximumBuffers = 4096;

export interface WireBuffer {
  argument: number;
  direction: number;
  filled: number;
  unit: number;
  length: number;
  place: number;
  countedBy: number;
  extra: number;
}

/**
 * `count` pointers in buffer `holder`, at `offset` and then every `stride` bytes. They travel as distances from the
 * start of buffer `target`, and become addresses where the call is made.
 */
export interface WirePointer {
  readonly holder: number;
  readonly target: number;
  readonly offset: number;
  readonly stride: number;
  readonly count: number;
}

export interface WireRequest {
  tid: number;
  nr: number;
  args: bigint[];
  large: boolean;
  buffers: WireBuffer[];
  pointers: readonly WirePointer[];
  /** How long the program's call had waited before it was cut short and made again, milliseconds; else 0. */
  waited: number;
  /** Of SIGTTIN and SIGTTOU those that the thread blocks and the call can bring about, as a mask. */
  blocked: number;
  /** Offset of the data after the request's start. */
  data: number;
}

export const padded = (length: number): number => (length + 7) & ~7;

const pageSize = 4096;
const between = 64;

/** Where the buffers lie in the memory of the call, one behind the other; both ends compute it from the descriptors. */
export function placesOf(buffers: readonly WireBuffer[]): { offsets: number[]; total: number } {
  let total = 0;
  const offsets = buffers.map((buffer) => {
    let at = Math.ceil(total / between) * between;
    if (buffer.place !== anyPlace) at += (buffer.place - (at % pageSize) + pageSize) % pageSize;
    total = at + buffer.length;
    return at;
  });
  return { offsets, total };
}

/** Writes header and descriptors. @returns where the data begins */
export function encodeRequest(view: DataView, at: number, request: Omit<WireRequest, 'data'>): number {
  view.setUint32(at, request.tid, true);
  view.setUint32(at + 4, request.nr, true);
  for (let i = 0; i < 6; i++) view.setBigUint64(at + 8 + 8 * i, request.args[i] ?? 0n, true);
  view.setUint32(at + 56, request.buffers.length, true);
  view.setUint32(at + 60, request.large ? largeFlag : 0, true);
  view.setUint32(at + 64, request.pointers.length, true);
  view.setUint32(at + 68, request.blocked, true);
  view.setFloat64(at + 72, request.waited, true);
  let offset = at + requestHeader;
  for (const buffer of request.buffers) {
    view.setUint8(offset, buffer.argument);
    view.setUint8(offset + 1, buffer.direction);
    view.setUint8(offset + 2, buffer.filled);
    view.setUint8(offset + 3, 0);
    view.setUint32(offset + 4, buffer.unit, true);
    view.setBigUint64(offset + 8, BigInt(buffer.length), true);
    view.setUint16(offset + 16, buffer.place, true);
    view.setUint16(offset + 18, buffer.countedBy, true);
    view.setUint32(offset + 20, buffer.extra, true);
    offset += bufferHeader;
  }
  for (const { holder, target, offset: from, stride, count } of request.pointers) {
    view.setUint16(offset, holder, true);
    view.setUint16(offset + 2, target, true);
    view.setUint32(offset + 4, from, true);
    view.setUint32(offset + 8, stride, true);
    view.setUint32(offset + 12, count, true);
    offset += pointerHeader;
  }
  return offset;
}

/** @throws RangeError on a malformed request */
export function decodeRequest(view: DataView, at: number, length: number): WireRequest {
  if (length < requestHeader) throw new RangeError(`Cannot read a request of ${length} bytes`);
  const count = view.getUint32(at + 56, true);
  const pointerCount = view.getUint32(at + 64, true);
  const data = requestHeader + count * bufferHeader + pointerCount * pointerHeader;
  if (count > maximumBuffers || pointerCount > maximumBuffers || data > length)
    throw new RangeError(`Cannot read a request with ${count} buffers and ${pointerCount} pointers`);
  const buffers = Array.from({ length: count }, (_, i) => decodeBuffer(view, at + requestHeader + i * bufferHeader));
  for (const buffer of buffers) checkCounting(buffer, buffers);
  const pointersAt = at + requestHeader + count * bufferHeader;
  const pointers = Array.from({ length: pointerCount }, (_, i) =>
    decodePointer(view, pointersAt + i * pointerHeader, buffers),
  );
  const waited = view.getFloat64(at + 72, true);
  if (!(waited >= 0)) throw new RangeError(`Cannot read a request that has waited ${waited} ms`);
  const args: bigint[] = [];
  for (let i = 0; i < 6; i++) args.push(view.getBigUint64(at + 8 + 8 * i, true));
  return {
    tid: view.getUint32(at, true),
    nr: view.getUint32(at + 4, true),
    args,
    large: (view.getUint32(at + 60, true) & largeFlag) !== 0,
    buffers,
    pointers,
    waited,
    blocked: view.getUint32(at + 68, true),
    data,
  };
}

function decodeBuffer(view: DataView, at: number): WireBuffer {
  const length = Number(view.getBigUint64(at + 8, true));
  const argument = view.getUint8(at);
  if ((argument > 5 && argument !== noArgument) || length > 2 ** 31)
    throw new RangeError(`Cannot read a request: buffer of ${length} bytes for argument ${argument}`);
  return {
    argument,
    direction: view.getUint8(at + 1),
    filled: view.getUint8(at + 2),
    unit: view.getUint32(at + 4, true),
    length,
    place: view.getUint16(at + 16, true),
    countedBy: view.getUint16(at + 18, true),
    extra: view.getUint32(at + 20, true),
  };
}

function checkCounting({ filled: how, countedBy, extra }: WireBuffer, buffers: readonly WireBuffer[]): void {
  if (how !== filled.counted) return;
  const counting = buffers[countedBy]?.length ?? 0;
  if (extra + 4 > counting) throw new RangeError(`Cannot read a request: its buffer ${countedBy} counts nothing`);
}

function decodePointer(view: DataView, at: number, buffers: readonly WireBuffer[]): WirePointer {
  const holder = view.getUint16(at, true);
  const target = view.getUint16(at + 2, true);
  const offset = view.getUint32(at + 4, true);
  const stride = view.getUint32(at + 8, true);
  const count = view.getUint32(at + 12, true);
  const room = buffers[holder]?.length ?? 0;
  if (target >= buffers.length || count < 1 || (stride < 8 && count > 1) || offset + (count - 1) * stride + 8 > room)
    throw new RangeError(`Cannot read a request: ${count} pointers from buffer ${holder} to buffer ${target}`);
  return { holder, target, offset, stride, count };
}

/**
 * Whether a buffer's bytes go with the request. Those that are only filled go too, so that what the call leaves alone
 * comes back as it was, unless it is said exactly how many bytes are filled.
 */
export function goesAlong({ filled: how, direction: way }: WireBuffer): boolean {
  return way !== direction.out || (how !== filled.result && how !== filled.counted);
}

/** Valid bytes of an outgoing buffer after a call; `counted` reads a u32 of another buffer. */
export function validBytes(
  buffer: WireBuffer,
  result: number,
  counted: (buffer: number, at: number) => number,
): number {
  if (!(buffer.direction & direction.out)) return 0;
  const failed = result < 0 && result > -4096;
  switch (buffer.filled) {
    case filled.result:
      return failed ? 0 : Math.min(buffer.length, Math.max(0, result) * buffer.unit + buffer.extra);
    case filled.success:
      return failed ? 0 : buffer.length;
    case filled.element:
      return buffer.unit < result ? buffer.length : 0;
    case filled.counted:
      return buffer.unit < result ? Math.min(buffer.length, counted(buffer.countedBy, buffer.extra)) : 0;
    default:
      // What is read and written may change in a failed call too (nanosleep's remaining time).
      return failed && buffer.direction === direction.out ? 0 : buffer.length;
  }
}
