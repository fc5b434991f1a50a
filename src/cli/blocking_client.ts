/**
 * One question at a time to mosd, without the event loop: mosrun stands in front of every program, and loading node:net
 * and going round the loop would cost it some milliseconds more than these few system calls. The descriptor is
 * close-on-exec: mosd learns from its end that the program has begun.
 */
import { jsonLine, JsonLineReader } from '../lib/json_lines.ts';
import { errnoName } from '../sys/errors.ts';
import { kernel } from '../sys/kernel.ts';
import { Memory } from '../sys/memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import { LineClientError, refusalOf } from '../wire/line_errors.ts';

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0x80001;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const MSG_NOSIGNAL = 0x4000;
const EINTR = -4;
const EAGAIN = -11;
/** Of sockaddr_un's path, with its zero at the end (unix(7)). */
const MAX_PATH_BYTES = 108;
const BUFFER_BYTES = 64 * 1024;

export class BlockingClient implements Disposable {
  readonly #fd: number;
  readonly #memory = Memory.anonymous(BUFFER_BYTES);
  readonly #reader = new JsonLineReader();
  #lastId = 0;

  /**
   * @param timeoutMs For each system call that waits.
   * @throws LineClientError
   */
  constructor(path: string, timeoutMs: number) {
    this.#fd = kernel.call(nr.socket, AF_UNIX, SOCK_STREAM_CLOEXEC, 0);
    if (this.#fd < 0) throw failure('make a socket', this.#fd);
    try {
      this.#limitWaiting(timeoutMs);
      this.#connect(path);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws RefusedError, LineClientError */
  request(op: string, parameters: object = {}): unknown {
    this.#lastId += 1;
    this.#send(Buffer.from(jsonLine({ ...parameters, id: this.#lastId, op })));
    for (;;) {
      for (const message of this.#reader.feed(this.#receive())) {
        const answer = Object(message);
        if (answer.id !== this.#lastId && answer.id !== null) continue;
        if (answer.ok === true) return answer.result;
        throw refusalOf(answer.error);
      }
    }
  }

  [Symbol.dispose](): void {
    kernel.call(nr.close, this.#fd);
    this.#memory.free();
  }

  #limitWaiting(timeoutMs: number): void {
    this.#memory.write64(0, Math.floor(timeoutMs / 1000)); // struct timeval
    this.#memory.write64(8, (timeoutMs % 1000) * 1000);
    for (const option of [SO_RCVTIMEO, SO_SNDTIMEO])
      kernel.call(nr.setsockopt, this.#fd, SOL_SOCKET, option, this.#memory.address, 16);
  }

  #connect(path: string): void {
    const bytes = Buffer.from(path);
    if (bytes.length >= MAX_PATH_BYTES)
      throw new LineClientError(`Cannot connect to ${path}: the path is longer than ${MAX_PATH_BYTES - 1} bytes`);
    this.#memory.u8.fill(0, 0, 2 + MAX_PATH_BYTES);
    this.#memory.view.setUint16(0, AF_UNIX, true);
    this.#memory.u8.set(bytes, 2);
    const result = kernel.call(nr.connect, this.#fd, this.#memory.address, 2 + bytes.length + 1);
    if (result < 0) throw failure(`connect to ${path}`, result);
  }

  #send(bytes: Uint8Array): void {
    if (bytes.length > BUFFER_BYTES) throw new LineClientError('Cannot ask mosd: the request is too long');
    this.#memory.u8.set(bytes);
    for (let sent = 0; sent < bytes.length;) {
      const result = kernel.call(
        nr.sendto,
        this.#fd,
        this.#memory.address + sent,
        bytes.length - sent,
        MSG_NOSIGNAL,
        0,
        0,
      );
      if (result < 0 && result !== EINTR) throw failure('ask mosd', result);
      sent += Math.max(result, 0);
    }
  }

  #receive(): Uint8Array {
    for (;;) {
      const count = kernel.call(nr.recvfrom, this.#fd, this.#memory.address, BUFFER_BYTES, 0, 0, 0);
      if (count === EINTR) continue;
      if (count === 0) throw new LineClientError('it closed the connection');
      if (count < 0) throw failure('read the answer', count);
      return this.#memory.u8.slice(0, count);
    }
  }
}

function failure(what: string, result: number): LineClientError {
  const name = errnoName(-result);
  return new LineClientError(`Cannot ${what}: ${result === EAGAIN ? 'there was no answer in time' : name}`, name);
}
