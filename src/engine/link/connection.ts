/**
 * One TCP connection between two engines, for a family of guests. Frames have a 24-byte header: u32 payload length,
 * u16 type, u16 zero, u64 id, u32 channel, u32 zero; little-endian. Sending never blocks: what the socket does not take
 * is queued, and bulk senders wait for `drained`. Each process has a channel (link.ts); the connection ends with its last.
 */
import {
  close,
  connectTcp,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  receive,
  send,
  socketError,
  EAGAIN,
  setPatience,
} from '../../sys/descriptors.ts';
import { errnoName } from '../../sys/errors.ts';
import type { Memory } from '../../sys/memory.ts';
import { HandshakeError, type Handshake } from '../../wire/handshake.ts';
import { frameHeader, maximumFrame, maximumQueued } from '../../wire/frames.ts';
import { returnBuffers, takeBuffers } from './connection_buffers.ts';
import type { Loop } from './loop.ts';

/** The connection is gone, or the peer broke the protocol. */
export class LinkClosed extends Error {
  constructor(peer: string, reason: string) {
    super(`The link to ${peer} is closed: ${reason}`);
    this.name = 'LinkClosed';
  }
}

/** A received frame; `memory` holds the payload at `offset` until the handler returns. */
export interface Frame {
  type: number;
  id: number;
  memory: Memory;
  offset: number;
  length: number;
}

/** What a connection needs of a channel. */
export interface Channel {
  /** False while nobody takes its frames: they wait, and so do those behind them. */
  readonly listening: boolean;
  take(frame: Frame): void;
  /** The connection is gone. */
  lost(error: Error): void;
}

/** Bytes that are read before it is known how long the frame is. More than all but the largest have. */
const firstRead = 64 * 1024;

export class Connection {
  readonly peer: string;
  readonly loop: Loop;
  /** Outgoing frame under construction: payload starts at `frameHeader`. */
  readonly out: Memory;
  readonly #in: Memory;
  readonly #buffers = takeBuffers();
  /** How far the buffers have been written to. */
  readonly #used = { out: 0, in: 0 };
  readonly #fd: number;
  readonly #channels = new Map<number, Channel>();
  #lastNumber = 0;
  #inStart = 0;
  #inEnd = 0;
  #queue: Buffer[] = [];
  #queued = 0;
  #drainWaiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #closed: Error | undefined;
  #handshake: { machine: Handshake; done: () => void; failed: (error: Error) => void } | undefined;

  constructor(loop: Loop, fd: number, peer: string) {
    this.out = this.#buffers.out;
    this.#in = this.#buffers.in;
    this.loop = loop;
    this.#fd = fd;
    this.peer = peer;
    loop.watch(fd, EPOLLIN | EPOLLRDHUP, (events) => this.#onEvents(events));
  }

  /** Connects to a peer's engine. @throws LinkClosed */
  static async connect(
    loop: Loop,
    peer: { name: string; address: string; guestPort: number },
    milliseconds: number,
  ): Promise<Connection> {
    const where = `${peer.name} (${peer.address} port ${peer.guestPort})`;
    const fd = connectTcp(peer.address, peer.guestPort);
    if (fd < 0) throw new LinkClosed(where, errnoName(-fd));
    try {
      await loop.within<void>(milliseconds, `reach ${where}`, (resolve) => loop.watch(fd, EPOLLOUT, () => resolve()));
    } catch (error) {
      close(fd);
      throw error;
    } finally {
      loop.unwatch(fd);
    }
    const error = socketError(fd);
    if (error < 0) {
      close(fd);
      throw new LinkClosed(where, errnoName(-error));
    }
    return new Connection(loop, fd, where);
  }

  get closed(): Error | undefined {
    return this.#closed;
  }

  /** After how many seconds of silence the peer is given up. */
  set patience(seconds: number) {
    if (!this.#closed) setPatience(this.#fd, seconds);
  }

  /** Proves both sides' knowledge of the cluster's key. No frame is looked at before. @throws HandshakeError, LinkClosed */
  authenticate(machine: Handshake, milliseconds: number): Promise<void> {
    const first = machine.start();
    if (first.length) this.#sendRaw(first);
    return this.loop.within<void>(milliseconds, `authenticate the link to ${this.peer}`, (resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      this.#handshake = { machine, done: resolve, failed: reject };
    });
  }

  // ---- channels ----

  open(number: number, channel: Channel): void {
    if (this.#channels.has(number)) throw new RangeError(`Cannot open channel ${number} of ${this.peer} twice`);
    this.#channels.set(number, channel);
  }

  /** A number that no channel had before: what is still under way for an old one must not reach a new one. */
  freeNumber(): number {
    return ++this.#lastNumber;
  }

  /** A channel is done with. @returns whether others are left; without any the connection ends */
  leave(number: number, error: Error): boolean {
    this.#channels.delete(number);
    if (this.#channels.size === 0) this.close(error);
    return this.#channels.size > 0;
  }

  /** A channel listens now: frames may have waited for it. */
  resume(): void {
    if (this.#inEnd > this.#inStart) this.loop.after(0, () => this.#parse());
  }

  // ---- sending ----

  /** Sends the frame whose payload has been written to `out`. */
  sendFrame(channel: number, type: number, length: number, id: number): void {
    if (this.#closed) return;
    const { out } = this;
    out.u32[0] = length;
    out.u32[1] = type;
    out.write64(8, id);
    out.write64(16, channel);
    this.#sendMemory(length + frameHeader);
  }

  #sendMemory(length: number): void {
    if (this.#closed) return;
    this.#used.out = Math.max(this.#used.out, length);
    let done = 0;
    if (this.#queued === 0) {
      while (done < length) {
        const n = send(this.#fd, this.out.address + done, length - done);
        if (n === EAGAIN) break;
        if (n <= 0) return this.close(new LinkClosed(this.peer, errnoName(-n)));
        done += n;
      }
    }
    if (done < length) this.#enqueue(Buffer.from(this.out.u8.subarray(done, length)));
  }

  #sendRaw(bytes: Uint8Array): void {
    this.out.u8.set(bytes, 0);
    this.#sendMemory(bytes.length);
  }

  #enqueue(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (this.#queued > maximumQueued) return this.close(new LinkClosed(this.peer, 'it does not take what is sent'));
    if (this.#queue.length === 1) this.loop.change(this.#fd, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
  }

  /** Resolves when nothing is queued. @throws LinkClosed */
  async drained(): Promise<void> {
    if (this.#closed) throw this.#closed;
    if (this.#queued === 0) return;
    await this.loop.within<void>(30_000, `send to ${this.peer}`, (resolve, reject) => {
      this.#drainWaiters.push({ resolve, reject });
    });
  }

  #onEvents(events: number): void {
    if (events & EPOLLOUT) this.#flush();
    if (events & ~EPOLLOUT) this.#receive();
  }

  #flush(): void {
    while (this.#queue.length) {
      const bytes = this.#queue[0];
      this.out.u8.set(bytes.subarray(0, this.out.size), 0);
      this.#used.out = Math.max(this.#used.out, bytes.length);
      const n = send(this.#fd, this.out.address, Math.min(bytes.length, this.out.size));
      if (n === EAGAIN) return;
      if (n <= 0) return this.close(new LinkClosed(this.peer, errnoName(-n)));
      this.#queued -= n;
      if (n === bytes.length) this.#queue.shift();
      else this.#queue[0] = bytes.subarray(n);
    }
    if (this.#closed) return;
    this.loop.change(this.#fd, EPOLLIN | EPOLLRDHUP);
    for (const waiter of this.#drainWaiters.splice(0)) waiter.resolve();
  }

  /**
   * How much to read next. A large frame is read to its end and no further: then the next one comes to the same place,
   * and stays in the CPU's cache until it has been taken.
   */
  #wanted(): number {
    const have = this.#inEnd - this.#inStart;
    const room = this.#in.size - this.#inEnd;
    if (this.#handshake || have < frameHeader) return Math.min(room, firstRead);
    const frame = Math.min(this.#in.view.getUint32(this.#inStart, true), maximumFrame) + frameHeader;
    return Math.min(room, frame > have && frame > firstRead ? frame - have : firstRead);
  }

  #receive(): void {
    // A few reads per turn, so that one fast link does not starve the others.
    for (let round = 0; round < 4 && !this.#closed; round++) {
      const room = this.#wanted();
      const n = receive(this.#fd, this.#in.address + this.#inEnd, room);
      if (n === EAGAIN) return;
      if (n <= 0) return this.close(new LinkClosed(this.peer, n === 0 ? 'the other side closed it' : errnoName(-n)));
      this.#inEnd += n;
      this.#used.in = Math.max(this.#used.in, this.#inEnd);
      this.#parse();
      if (n < room) return;
    }
  }

  #parse(): void {
    if (this.#handshake) this.#continueHandshake();
    while (!this.#closed && !this.#handshake && this.#inEnd - this.#inStart >= frameHeader) {
      const at = this.#inStart;
      const view = this.#in.view;
      const length = view.getUint32(at, true);
      if (length > maximumFrame)
        return this.close(new LinkClosed(this.peer, `a frame announces ${length} bytes; ${maximumFrame} are allowed`));
      if (this.#inEnd - at < frameHeader + length) break;
      // A frame for a channel that is closed at this end was sent before the other end knew: it is passed over.
      const channel = this.#channels.get(view.getUint32(at + 16, true));
      if (channel && !channel.listening) break;
      this.#inStart += frameHeader + length;
      const id = view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * 4294967296;
      channel?.take({ type: view.getUint16(at + 4, true), id, memory: this.#in, offset: at + frameHeader, length });
    }
    this.#compact();
  }

  #compact(): void {
    if (this.#inStart === this.#inEnd) this.#inStart = this.#inEnd = 0;
    else if (this.#inStart > this.#in.size / 2) {
      this.#in.u8.copyWithin(0, this.#inStart, this.#inEnd);
      this.#inEnd -= this.#inStart;
      this.#inStart = 0;
    }
  }

  #continueHandshake(): void {
    const { machine, done, failed } = this.#handshake!;
    try {
      const { send: answer, done: finished, rest } = machine.feed(this.#in.u8.slice(this.#inStart, this.#inEnd));
      this.#inStart = 0;
      this.#inEnd = rest.length;
      this.#in.u8.set(rest, 0);
      if (answer.length) this.#sendRaw(answer);
      if (!finished) return;
      this.#handshake = undefined;
      done();
    } catch (error) {
      this.#handshake = undefined;
      const refusal = error instanceof HandshakeError ? error.reply : undefined;
      if (refusal?.length) this.#sendRaw(refusal);
      failed(error instanceof Error ? error : new Error(String(error)));
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  close(error: Error = new LinkClosed(this.peer, 'closed here')): void {
    if (this.#closed) return;
    this.#closed = error;
    this.loop.unwatch(this.#fd);
    close(this.#fd);
    this.#queue = [];
    this.#handshake?.failed(error);
    for (const waiter of this.#drainWaiters.splice(0)) waiter.reject(error);
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    for (const channel of channels) channel.lost(error);
    this.#free();
  }

  /**
   * Leaves the descriptor to somebody else, who starts anew with the next frame; the peer must have sent nothing since
   * the last one.
   */
  release(): number {
    this.#closed = new LinkClosed(this.peer, 'it was handed over');
    this.loop.unwatch(this.#fd);
    this.#channels.clear();
    this.#free();
    return this.#fd;
  }

  #free(): void {
    // The buffers may be in use further up the call chain: give them back when it has unwound.
    this.loop.after(10, () => returnBuffers(this.#buffers, this.#used));
  }
}
