/**
 * Makes one system call twice in this process: as it is, and as its plan says, with this process as both the body and
 * the home. For tests that marshalling changes nothing a program could see.
 */

import { numberOf } from '../syscalls.ts';
import { kernel } from '../kernel.ts';
import { noArgument, planCall, type BufferPlan, type ForwardPlan, type Plan } from '../marshal.ts';
import { Memory } from '../memory.ts';

/** The body: the same memory each time, so that addresses inside structures are the same too. */
const body = Memory.anonymous(128 * 1024);
const guardSize = 256;
/** Seen where a call should not have written. */
const untouched = 0xee;

/** A preparatory call failed: this machine cannot show the scene. */
export class StageError extends Error {
  override readonly name = 'StageError';
}

/** A stage for one call: its memory, and descriptors that are closed at the end. */
export class Stage {
  readonly #memory: Memory;
  readonly #fds: number[] = [];
  #used = 64;

  constructor(memory: Memory) {
    this.#memory = memory;
    memory.u8.fill(untouched);
  }

  /** The address of these bytes (a string gets its NUL). */
  put(content: string | Uint8Array | readonly bigint[]): bigint {
    const bytes =
      typeof content === 'string'
        ? Buffer.from(`${content}\0`)
        : content instanceof Uint8Array
          ? content
          : new Uint8Array(BigUint64Array.from(content, (word) => BigInt.asUintN(64, word)).buffer);
    const address = this.room(bytes.length);
    this.#memory.u8.set(bytes, Number(address) - this.#memory.address);
    return address;
  }

  /** The address of so many bytes that no one has written. */
  room(size: number): bigint {
    const offset = this.#used;
    this.#used = (offset + size + 63) & ~63;
    if (this.#used > this.#memory.size) throw new RangeError(`Cannot make room for ${size} bytes`);
    return BigInt(this.#memory.address + offset);
  }

  /** Makes a preparatory call, which has to succeed. */
  call(name: string, ...args: readonly (number | bigint)[]): number {
    const result = kernel.callWide(numberOf(name), args.map(BigInt));
    if (result < 0) throw new StageError(`Cannot set the stage: ${name} gave ${result}`);
    return result;
  }

  /** As `call`; the descriptor it gives is closed at the end. */
  open(name: string, ...args: readonly (number | bigint)[]): bigint {
    return this.keep(this.call(name, ...args));
  }

  keep(fd: number): bigint {
    this.#fds.push(fd);
    return BigInt(fd);
  }

  /** An int at an address, as a preparatory call left it there. */
  int(address: bigint): number {
    return this.#memory.view.getInt32(Number(address) - this.#memory.address, true);
  }

  /** Forgets what a preparatory call left. */
  clear(address: bigint, size: number): void {
    const offset = Number(address) - this.#memory.address;
    this.#memory.u8.fill(untouched, offset, offset + size);
  }

  close(): void {
    for (const fd of this.#fds) kernel.callWide(numberOf('close'), [BigInt(fd)]);
  }
}

/** What the program sees: the result and all of its memory. */
export interface Outcome {
  readonly result: number;
  readonly memory: Buffer;
}

/** Sets the stage for a call and gives its arguments. */
export type Preparation = (stage: Stage) => readonly (number | bigint)[];

export interface Rehearsal {
  readonly plain: Outcome;
  readonly planned: Outcome;
  /** Places of an `out` buffer that the kernel left alone although the call succeeded: it should be `inout`. */
  readonly unwritten: readonly string[];
  /** Whether the kernel wrote behind a buffer: its length is too small. */
  readonly overrun: boolean;
}

export function rehearse(name: string, prepare: Preparation): Rehearsal {
  const nr = numberOf(name);
  const plain = onStage(prepare, (args) => kernel.callWide(nr, args));
  const first = { overrun: false, unwritten: new Set<string>() };
  const planned = onStage(prepare, (args, memory) => perform(nr, args, { memory, fill: 0xaa, seen: first }));
  const second = { overrun: false, unwritten: new Set<string>() };
  onStage(prepare, (args, memory) => perform(nr, args, { memory, fill: 0x55, seen: second }));
  const unwritten = [...first.unwritten].filter((place) => second.unwritten.has(place));
  return { plain, planned, unwritten, overrun: first.overrun || second.overrun };
}

function onStage(prepare: Preparation, act: (args: readonly bigint[], memory: Memory) => number): Outcome {
  const stage = new Stage(body);
  try {
    const args = prepare(stage).map((each) => BigInt.asUintN(64, BigInt(each)));
    const result = act(args, body);
    return { result, memory: Buffer.from(body.u8) };
  } finally {
    stage.close();
  }
}

interface Observed {
  overrun: boolean;
  readonly unwritten: Set<string>;
}

interface Performance {
  readonly memory: Memory;
  readonly fill: number;
  readonly seen: Observed;
}

function perform(nr: number, args: readonly bigint[], performance: Performance): number {
  const { memory } = performance;
  const plan = planCall(nr, args, {
    read: (address, length) => {
      const offset = address - memory.address;
      return offset >= 0 && offset + length <= memory.size ? memory.u8.slice(offset, offset + length) : undefined;
    },
  });
  return carryOut(plan, performance);
}

function carryOut(plan: Plan, performance: Performance): number {
  if (plan.kind !== 'forward') throw new Error(`Not forwarded: ${JSON.stringify(plan)}`);
  const places = layOut(plan.buffers);
  using bounce = Memory.anonymous((places.at(-1)?.end ?? 0) + 4096);
  bounce.u8.fill(performance.fill);
  for (const { buffer, start } of places) {
    if (buffer.direction !== 'out') bounce.u8.set(buffer.contents ?? gather(buffer, performance.memory), start);
  }
  for (const { holder, target, offset, stride, count } of plan.pointers ?? []) {
    for (let i = 0, at = places[holder].start + offset; i < count; i++, at += stride)
      bounce.view.setBigUint64(
        at,
        bounce.view.getBigUint64(at, true) + BigInt(bounce.address + places[target].start),
        true,
      );
  }
  const result = callWith(plan, places, bounce);
  for (const place of places) takeBack(place, { bounce, result, places }, performance);
  return result;
}

interface Place {
  readonly buffer: BufferPlan;
  readonly start: number;
  readonly end: number;
}

function layOut(buffers: readonly BufferPlan[]): Place[] {
  let used = 0;
  return buffers.map((buffer) => {
    const start = used;
    used = (start + buffer.length + guardSize + 63) & ~63;
    return { buffer, start, end: start + buffer.length };
  });
}

function callWith(plan: ForwardPlan, places: readonly Place[], bounce: Memory): number {
  const args = [...plan.args];
  for (const { buffer, start } of places)
    if (buffer.argument !== noArgument) args[buffer.argument] = BigInt(bounce.address + start);
  return kernel.callWide(plan.nr, args);
}

interface Done {
  readonly bounce: Memory;
  readonly result: number;
  readonly places: readonly Place[];
}

/** Bytes that are valid after the call. */
function validOf({ filled, unit, plus = 0, length, counted, direction }: BufferPlan, done: Done): number {
  const { result } = done;
  switch (filled) {
    case 'whole':
      return result < 0 && direction === 'out' ? 0 : length;
    case 'success':
      return result < 0 ? 0 : length;
    case 'result':
      return result < 0 ? 0 : Math.min(length, result * unit + plus);
    case 'element':
      return unit < result ? length : 0;
    case 'counted': {
      const at = done.places[counted?.buffer ?? 0].start + (counted?.at ?? 0);
      return unit < result ? Math.min(length, done.bounce.view.getUint32(at, true)) : 0;
    }
  }
}

function takeBack(place: Place, done: Done, performance: Performance): void {
  const { buffer, start, end } = place;
  const { bounce } = done;
  const { fill, seen, memory } = performance;
  if (bounce.u8.subarray(end, end + guardSize).some((byte) => byte !== fill)) seen.overrun = true;
  if (buffer.direction === 'in' || buffer.direction === 'string') return;
  const valid = validOf(buffer, done);
  const bytes = bounce.u8.slice(start, start + valid);
  if (buffer.direction === 'out') {
    for (const [i, byte] of bytes.entries())
      if (byte === fill) seen.unwritten.add(`argument ${buffer.argument} byte ${i}`);
  }
  scatter(buffer, bytes, memory);
}

function piecesOf(buffer: BufferPlan): readonly { readonly address: number; readonly length: number }[] {
  return buffer.segments ?? [{ address: buffer.address, length: buffer.length }];
}

function gather(buffer: BufferPlan, memory: Memory): Uint8Array {
  return Buffer.concat(
    piecesOf(buffer).map(({ address, length }) => {
      const offset = address - memory.address;
      return memory.u8.slice(offset, offset + length);
    }),
  );
}

function scatter(buffer: BufferPlan, bytes: Uint8Array, memory: Memory): void {
  if (buffer.back) {
    for (const { offset, address, length } of buffer.back)
      if (offset + length <= bytes.length)
        memory.u8.set(bytes.subarray(offset, offset + length), address - memory.address);
    return;
  }
  let done = 0;
  for (const { address, length } of piecesOf(buffer)) {
    const part = bytes.subarray(done, done + length);
    memory.u8.set(part, address - memory.address);
    done += part.length;
  }
}
