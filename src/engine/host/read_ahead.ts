/**
 * Reads of files that the program reads in small pieces, one after the other, are answered here, from parts that home sends
 * in advance. Home vouches that nobody else can change or notice anything meanwhile (read_grants.ts); here it is seen to
 * that everything else the program does with such a descriptor finds the position at home where it belongs.
 * See docs/internals/read_ahead.md.
 */
import { peek } from '../../sys/remote_memory.ts';
import { describe, numberOf } from '../../sys/syscalls.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameType } from '../../wire/frames.ts';
import type { ReadLeave } from '../image/read_ahead_messages.ts';
import { frameJson, frameNumber, type Frame } from '../link/link.ts';
import type { BodyCall } from './body_call.ts';
import type { BodyHost } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';
import { ReadStream } from './read_stream.ts';

/** After how many small reads of a descriptor home is asked. Each useless stream doubles it for that descriptor. */
const firstPatience = 16;
const mostPatience = 1 << 16;
/** A stream with fewer reads than this has cost more than it saved. */
const worthwhile = 128;
/** Bytes of the largest read that is answered here; others cost little in proportion to what they carry. */
const largestRead = 128 * 1024;
/** Milliseconds after which a stream that nobody reads is given back. */
const idleAfter = 1000;

const CLONE_THREAD = 0x10000n;
const calls = (...names: string[]): ReadonlySet<number> => new Set(names.map((name) => numberOf(name)));

/** May give another process the same open file. */
const sharing = calls('fork', 'vfork', 'execve', 'execveat', 'sendmsg', 'sendmmsg', 'close_range');
/** Name a descriptor and neither use nor change its position. */
const harmless = calls('pread64', 'preadv', 'fstat', 'newfstatat', 'statx', 'fadvise64');
/** After these the number means another file, or none. */
const replacing = calls('close', 'dup2', 'dup3');

/** A descriptor that is read. */
interface Reader {
  reads: number;
  patience: number;
  stream?: ReadStream | undefined;
}

export class ReadAhead {
  readonly #body: BodyHost;
  readonly #readers = new Map<number, Reader>();
  #lastGrant = 0;
  #cancel: (() => void) | undefined;

  constructor(body: BodyHost) {
    this.#body = body;
  }

  /** Looks at a call before anything is done with it. @returns whether it is answered */
  serve(thread: BodyThread, call: BodyCall): boolean {
    if (thread.lodger) return false; // its descriptors are others
    if (call.nr === nr.read) return this.#read(thread, call);
    if (this.#readers.size === 0) return false;
    if (call.nr === nr.lseek) return this.#seek(thread, call);
    if (sharing.has(call.nr) || this.#forks(call)) this.end();
    else if (!harmless.has(call.nr)) this.#giveBackFor(call);
    return false;
  }

  /** @returns whether the frame was for it */
  takes(frame: Frame): boolean {
    switch (frame.type) {
      case frameType.readAhead:
        this.#onLeave(frameJson(frame));
        return true;
      case frameType.readData:
        this.#withGrant(frame.memory.view.getUint32(frame.offset, true))?.stream.add(
          frameNumber(frame, 8),
          frame.memory.u8.slice(frame.offset + 16, frame.offset + frame.length),
        );
        return true;
      case frameType.readEnd: {
        const found = this.#withGrant(frameJson<{ grant: number }>(frame).grant);
        if (found) this.#end(found.reader);
        return true;
      }
      default:
        return false;
    }
  }

  /** Home has all positions again. */
  end(): void {
    for (const reader of this.#readers.values()) this.#end(reader);
  }

  stop(): void {
    this.#cancel?.();
  }

  // ---- calls ----

  #read(thread: BodyThread, call: BodyCall): boolean {
    const fd = asInt(call.args[0]);
    const wanted = Number(call.args[2]);
    const reader = this.#readers.get(fd) ?? { reads: 0, patience: firstPatience };
    this.#readers.set(fd, reader);
    const { stream } = reader;
    if (!stream) {
      reader.reads += 1;
      if (reader.reads < reader.patience || wanted > largestRead || this.#isUsed(fd, thread)) return false;
      this.#ask(fd, reader);
      this.#follow(thread, call, reader);
      return false;
    }
    if (stream.atHome || wanted === 0 || wanted > largestRead) {
      this.#end(reader);
      return false;
    }
    const bytes = stream.next(wanted);
    if (!bytes) {
      // Not here yet: this one is made at home.
      this.#body.link.sendJson(frameType.readAt, { grant: stream.grant, position: stream.position });
      this.#follow(thread, call, reader);
      return false;
    }
    if (bytes.length > 0 && !this.#body.write(Number(call.args[1]), bytes)) {
      this.#end(reader); // home knows which part of it such a program gets
      return false;
    }
    stream.advance(bytes.length);
    this.#fetch(stream);
    this.#body.finish(thread, call, bytes.length);
    return true;
  }

  /** A read is made at home, by which the position there goes on. */
  #follow(thread: BodyThread, call: BodyCall, { stream }: Reader): void {
    if (!stream) return;
    stream.atHome = true;
    call.always = true;
    call.onResult = (result) => {
      stream.atHome = false;
      stream.advance(Math.max(0, result));
      if (stream.granted) this.#fetch(stream);
      this.#body.finish(thread, thread.call ?? call, result);
    };
  }

  #seek(thread: BodyThread, call: BodyCall): boolean {
    const reader = this.#readers.get(asInt(call.args[0]));
    if (!reader?.stream) return false;
    const { stream } = reader;
    const target = stream.atHome
      ? undefined
      : stream.target(Number(BigInt.asIntN(64, call.args[1])), asInt(call.args[2]));
    if (target === undefined || !stream.seek(target)) {
      this.#end(reader);
      return false;
    }
    this.#body.finish(thread, call, target);
    return true;
  }

  #giveBackFor(call: BodyCall): void {
    for (const fd of descriptorsIn(call)) {
      const reader = this.#readers.get(fd);
      if (!reader) continue;
      this.#end(reader);
      if (replacing.has(call.nr)) this.#readers.delete(fd);
    }
  }

  /** Another thread's call may be changing the position at home just now. */
  #isUsed(fd: number, by: BodyThread): boolean {
    return this.#body.threads.some(({ call, tid }) => tid !== by.tid && call && descriptorsIn(call).includes(fd));
  }

  #forks({ nr: number, args }: BodyCall): boolean {
    if (number === nr.clone) return (args[0] & CLONE_THREAD) === 0n;
    if (number !== nr.clone3) return false;
    const flags = Buffer.from(peek(this.#body.hostPid, Number(args[0]), 8));
    return flags.length < 8 || (flags.readBigUInt64LE() & CLONE_THREAD) === 0n;
  }

  // ---- streams ----

  #ask(fd: number, reader: Reader): void {
    this.#lastGrant += 1;
    reader.stream = new ReadStream(this.#lastGrant);
    this.#body.link.sendJson(frameType.readAhead, { grant: this.#lastGrant, fd });
    this.#watch();
  }

  #onLeave({ grant, position, size }: ReadLeave): void {
    const found = this.#withGrant(grant);
    if (!found) return; // given back before it came
    if (position !== undefined && size !== undefined) return found.stream.begin(position, size);
    this.#forget(found.reader);
  }

  #fetch(stream: ReadStream): void {
    for (const offset of stream.wants()) this.#body.link.sendJson(frameType.readMore, { grant: stream.grant, offset });
  }

  #end(reader: Reader): void {
    const { stream } = reader;
    if (!stream) return;
    const position = stream.atHome ? undefined : stream.position;
    this.#body.link.sendJson(frameType.readEnd, { grant: stream.grant, position });
    this.#forget(reader);
  }

  #forget(reader: Reader): void {
    const useful = (reader.stream?.served ?? 0) >= worthwhile;
    reader.patience = useful ? firstPatience : Math.min(2 * reader.patience, mostPatience);
    reader.reads = 0;
    reader.stream = undefined;
  }

  #withGrant(grant: number): { reader: Reader; stream: ReadStream } | undefined {
    for (const reader of this.#readers.values())
      if (reader.stream?.grant === grant) return { reader, stream: reader.stream };
    return undefined;
  }

  #watch(): void {
    this.#cancel ??= this.#body.loop.after(idleAfter, () => {
      this.#cancel = undefined;
      for (const reader of this.#readers.values()) if (reader.stream?.idle() === true) this.#end(reader);
      if ([...this.#readers.values()].some(({ stream }) => stream)) this.#watch();
    });
  }
}

function descriptorsIn({ nr: number, args }: Pick<BodyCall, 'nr' | 'args'>): number[] {
  const kinds = describe(number)?.arguments ?? [];
  return kinds.flatMap(({ kind }, index) => (kind === 'fd' ? [asInt(args[index])] : []));
}

function asInt(argument: bigint): number {
  return Number(BigInt.asIntN(32, argument));
}
