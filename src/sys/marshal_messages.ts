/**
 * sendmsg, recvmsg, sendmmsg and recvmmsg: message headers made anew, with everything behind their pointers as buffers of
 * their own. Ancillary data holds no pointers and travels as it is; descriptors in it are the deputy's, which has them.
 *
 * A vector is made one piece: no socket can tell. What the kernel writes into a header goes back field by field, since
 * the pointers in it are home's. Sources: net/socket.c (copy_msghdr_from_user, ___sys_recvmsg, move_addr_to_user).
 */

import {
  asUnsigned,
  badAddress,
  comeHome,
  noArgument,
  planBuffer,
  readStructure,
  userAddress,
  type BufferPlan,
  type Part,
  type Plan,
  type PointerPlan,
} from './call_plan.ts';
import { iovecSize, keepsPages, mostSegments, readVector, vectorBuffer, type VectorCall } from './marshal_vectors.ts';

/** Offsets in struct msghdr and, behind it, struct mmsghdr. */
const field = {
  name: 0,
  nameLength: 8,
  vector: 16,
  vectorLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
  /** Of mmsghdr: bytes sent or received. */
  moved: 56,
} as const;
const headerSize = { one: 56, several: 64 } as const;
/** UIO_MAXIOV: the kernel looks at no more messages in one call. */
const mostMessages = 1024;
/** sizeof(struct sockaddr_storage). */
const longestName = 128;
/** Ancillary data that is received: the kernel never has that much, whatever room there is. */
const mostReceivedControl = 65536;
/** Ancillary data that is sent: the kernel allows far less (optmem_max) and says ENOBUFS. */
const mostSentControl = 1024 * 1024;

interface Shape {
  readonly way: 'send' | 'receive';
  readonly several: boolean;
  /** Argument of the flags. */
  readonly flags: number;
}

const shapes: Readonly<Record<string, Shape>> = {
  sendmsg: { way: 'send', several: false, flags: 2 },
  recvmsg: { way: 'receive', several: false, flags: 2 },
  sendmmsg: { way: 'send', several: true, flags: 3 },
  recvmmsg: { way: 'receive', several: true, flags: 3 },
};

export function planMessages(call: VectorCall): Plan {
  const { description, args, memory } = call;
  const shape = shapes[description.name];
  const count = shape.several ? Math.min(asUnsigned(args[2]), mostMessages) : 1;
  if (count === 0) return { kind: 'forward', nr: description.nr, args, buffers: [] };
  const step = shape.several ? headerSize.several : headerSize.one;
  const headers = readStructure(memory, args[1], count * step);
  const first = headers ?? readStructure(memory, args[1], step);
  if (headers === undefined && first !== undefined)
    return comeHome(`${description.name} with memory that is there only in part`);
  if (headers === undefined)
    return { kind: 'forward', nr: description.nr, args: args.with(1, badAddress), buffers: [] };
  const { buffers, pointers } = new MessageBuilder(call, shape, { headers, count, step }).build();
  const sent = [...(shape.several ? args.with(2, BigInt(count)) : args)];
  const timeout = planBuffer(description.arguments[4] ?? { kind: 'value' }, 4, { args, memory, bulk: false });
  if ('ok' in timeout) buffers.push(...timeout.ok);
  else sent[4] = badAddress;
  const plan: Plan = { kind: 'forward', nr: description.nr, args: sent, buffers, pointers };
  return shape.way === 'send' && keepsPages(args[shape.flags]) ? { ...plan, ownMemory: true } : plan;
}

/** Buffers 0 and 1 are the headers and their vectors, one of one piece for each message; the others are what these point to. */
class MessageBuilder {
  readonly #call: VectorCall;
  readonly #shape: Shape;
  readonly #count: number;
  readonly #step: number;
  readonly #headers: DataView;
  readonly #vectors: DataView;
  readonly #others: BufferPlan[] = [];
  readonly #pointers: PointerPlan[] = [];

  constructor(call: VectorCall, shape: Shape, found: { headers: DataView; count: number; step: number }) {
    this.#call = call;
    this.#shape = shape;
    this.#count = found.count;
    this.#step = found.step;
    const { buffer, byteOffset, byteLength } = found.headers;
    this.#headers = new DataView(buffer.slice(byteOffset, byteOffset + byteLength));
    this.#vectors = new DataView(new ArrayBuffer(found.count * iovecSize));
  }

  build(): { buffers: BufferPlan[]; pointers: PointerPlan[] } {
    for (let index = 0; index < this.#count; index++) this.#message(index);
    return { buffers: [this.#headerBuffer(), this.#vectorsBuffer(), ...this.#others], pointers: this.#pointers };
  }

  #message(index: number): void {
    const at = index * this.#step;
    this.#name(index, at + field.name, this.#headers.getInt32(at + field.nameLength, true));
    this.#data(index, at);
    this.#control(index, at);
  }

  /** Adds a buffer that the pointer at `offset` of a holder leads to. */
  #point(holder: number, offset: number, buffer: BufferPlan): void {
    const view = holder === 0 ? this.#headers : this.#vectors;
    view.setBigUint64(offset, 0n, true);
    this.#others.push(buffer);
    this.#pointers.push({ holder, target: this.#others.length + 1, offset, stride: 8, count: 1 });
  }

  /** The place in the body that a pointer in a header leads to; where nobody can have memory it is made a bad one. */
  #addressAt(offset: number): number | undefined {
    const pointer = this.#headers.getBigUint64(offset, true);
    const address = userAddress(pointer);
    if (pointer === 0n) return undefined;
    if (address === undefined) this.#headers.setBigUint64(offset, badAddress, true);
    return address;
  }

  #name(index: number, offset: number, claimed: number): void {
    const address = this.#addressAt(offset);
    const length = Math.min(Math.max(claimed, 0), longestName);
    if (address !== undefined && length > 0) this.#point(0, offset, this.#aside(index, address, length));
  }

  #control(index: number, at: number): void {
    const address = this.#addressAt(at + field.control);
    const claimed = this.#headers.getBigUint64(at + field.controlLength, true);
    if (address === undefined || claimed === 0n) return;
    if (this.#shape.way === 'send' && claimed > BigInt(mostSentControl))
      return this.#headers.setBigUint64(at + field.control, badAddress, true);
    const length = Math.min(Number(claimed), this.#shape.way === 'send' ? mostSentControl : mostReceivedControl);
    this.#headers.setBigUint64(at + field.controlLength, BigInt(length), true);
    this.#point(0, at + field.control, this.#aside(index, address, length));
  }

  /** A name or ancillary data: what the kernel does not fill comes back as it was. */
  #aside(index: number, address: number, length: number): BufferPlan {
    const common = { argument: noArgument, address, length } as const;
    if (this.#shape.way === 'send') return { ...common, direction: 'in', filled: 'whole', unit: 1 };
    if (!this.#shape.several) return { ...common, direction: 'inout', filled: 'success', unit: 1 };
    return { ...common, direction: 'inout', filled: 'element', unit: index };
  }

  /** A vector that is not valid is made one that is not valid in the same way. */
  #data(index: number, at: number): void {
    const base = this.#headers.getBigUint64(at + field.vector, true);
    const count = this.#headers.getBigUint64(at + field.vectorLength, true);
    if (count > BigInt(mostSegments)) return this.#headers.setBigUint64(at + field.vector, badAddress, true);
    const vector = readVector(base, count, this.#call.memory);
    if ('bad' in vector) return this.#headers.setBigUint64(at + field.vector, badAddress, true);
    this.#headers.setBigUint64(at + field.vector, BigInt(index * iovecSize), true);
    this.#pointers.push({ holder: 0, target: 1, offset: at + field.vector, stride: 8, count: 1 });
    if (count > 1n) this.#headers.setBigUint64(at + field.vectorLength, 1n, true);
    if ('refused' in vector) return this.#vectors.setBigInt64(index * iovecSize + 8, -1n, true);
    if (vector.length === 0) return;
    this.#vectors.setBigUint64(index * iovecSize + 8, BigInt(vector.length), true);
    this.#point(1, index * iovecSize, this.#payload(index, vector));
  }

  #payload(
    index: number,
    { segments, length }: { segments: BufferPlan['segments'] & object; length: number },
  ): BufferPlan {
    const common = { argument: noArgument, address: segments[0].address, length, segments } as const;
    if (this.#shape.way === 'send') return { ...common, direction: 'in', filled: 'whole', unit: 1 };
    if (!this.#shape.several) return { ...common, direction: 'out', filled: 'result', unit: 1 };
    const counted = { buffer: 0, at: index * this.#step + field.moved };
    return { ...common, direction: 'out', filled: 'counted', unit: index, counted };
  }

  #headerBuffer(): BufferPlan {
    const contents = new Uint8Array(this.#headers.buffer);
    const common = { argument: 1, address: 0, length: contents.length, contents } as const;
    const { way, several } = this.#shape;
    if (way === 'send' && !several) return { ...common, direction: 'in', filled: 'whole', unit: 1 };
    const filled = several ? 'result' : 'success';
    return { ...common, direction: 'inout', filled, unit: several ? this.#step : 1, back: this.#fieldsBack() };
  }

  /** The fields that the kernel writes: how much was moved, and of a message that is received the lengths and the flags. */
  #fieldsBack(): Part[] {
    const start = Number(this.#call.args[1]);
    const { way, several } = this.#shape;
    const fields: [offset: number, length: number][] = [];
    if (way === 'receive') fields.push([field.nameLength, 4], [field.controlLength, 8], [field.flags, 4]);
    if (several) fields.push([field.moved, 4]);
    return Array.from({ length: this.#count }, (_, index) =>
      fields.map(([offset, length]) => {
        const at = index * this.#step + offset;
        return { offset: at, address: start + at, length };
      }),
    ).flat();
  }

  #vectorsBuffer(): BufferPlan {
    const contents = new Uint8Array(this.#vectors.buffer);
    return { ...vectorBuffer([], noArgument), length: contents.length, contents };
  }
}
