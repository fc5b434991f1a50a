/**
 * A guest link: the channel of one process on the connection between its home and its hosting node. The first process
 * has channel 0; its children that are born away have others (docs/internals/families.md).
 */
import { usualPatience } from '../../sys/descriptors.ts';
import { Memory } from '../../sys/memory.ts';
import type { Handshake } from '../../wire/handshake.ts';
import { frameHeader, frameType, maximumFrame } from '../../wire/frames.ts';
import { Connection, LinkClosed, type Channel, type Frame } from './connection.ts';
import type { Loop } from './loop.ts';

export { LinkClosed, type Frame } from './connection.ts';

/** Seconds of silence after which a peer is given up. */
const patienceWhileFrozen = 5;
/** Bytes of a message in JSON. The longest are the state of threads, 4 KB each, and the names of what is mapped of which file. */
const maximumMessage = 64 * 2 ** 20;

export type FrameHandler = (frame: Frame) => void;

export function frameJson<T>(frame: Frame): T {
  // cast: the peer has proved the cluster's key; what does not fit fails where it is used
  return JSON.parse(frame.memory.buffer.toString('utf8', frame.offset, frame.offset + frame.length)) as T;
}

/** An unsigned 64-bit number of a payload; frames lie at any alignment. */
export function frameNumber(frame: Frame, at: number): number {
  return Number(frame.memory.view.getBigUint64(frame.offset + at, true));
}

export class GuestLink implements Channel {
  readonly #connection: Connection;
  /** The channel on the connection. */
  readonly number: number;
  #handler: FrameHandler | undefined;
  #closeHandlers: ((error: Error) => void)[] = [];
  #closed: Error | undefined;
  /** What came of a message that does not fit one frame. */
  #beginning: Uint8Array[] = [];
  #kept = 0;

  private constructor(connection: Connection, number: number) {
    this.#connection = connection;
    this.number = number;
    connection.open(number, this);
  }

  /** The link of the first process, over a connection that was accepted. */
  static over(loop: Loop, fd: number, peer: string): GuestLink {
    return new GuestLink(new Connection(loop, fd, peer), 0);
  }

  /** Connects to a peer's engine. @throws LinkClosed */
  static async connect(
    loop: Loop,
    peer: { name: string; address: string; guestPort: number },
    milliseconds: number,
  ): Promise<GuestLink> {
    return new GuestLink(await Connection.connect(loop, peer, milliseconds), 0);
  }

  /** A link for another process of the family, over the same connection. Home gives it a number, and tells the other end. */
  branch(number: number = this.#connection.freeNumber()): GuestLink {
    if (this.#closed) throw this.#closed;
    return new GuestLink(this.#connection, number);
  }

  get peer(): string {
    return this.#connection.peer;
  }

  /** Outgoing frame under construction: payload starts at `frameHeader`. All links of the connection share it. */
  get out(): Memory {
    return this.#connection.out;
  }

  /** Proves both sides' knowledge of the cluster's key. No frame is looked at before. @throws HandshakeError, LinkClosed */
  authenticate(machine: Handshake, milliseconds: number): Promise<void> {
    return this.#connection.authenticate(machine, milliseconds);
  }

  set onFrame(handler: FrameHandler) {
    this.#handler = handler;
    this.#connection.resume();
  }

  /**
   * While the program stands still, soon; later it is worth waiting for a network that comes back, since the program ends
   * with the link.
   */
  set peerPatience(whose: 'frozen' | 'away') {
    this.#connection.patience = whose === 'frozen' ? patienceWhileFrozen : usualPatience;
  }

  onClose(handler: (error: Error) => void): void {
    if (this.#closed) handler(this.#closed);
    else this.#closeHandlers.push(handler);
  }

  get closed(): Error | undefined {
    return this.#closed;
  }

  /** Waits for the first frame of one of the types; other types go to `other` (default: an error). */
  expect(
    types: readonly number[],
    milliseconds: number,
    other?: FrameHandler,
  ): Promise<{ type: number; text: string }> {
    return this.#connection.loop.within(milliseconds, `get an answer from ${this.peer}`, (resolve, reject) => {
      this.onClose(reject);
      this.onFrame = (frame) => {
        if (types.includes(frame.type)) {
          this.#handler = undefined;
          resolve({
            type: frame.type,
            text: frame.memory.buffer.toString('utf8', frame.offset, frame.offset + frame.length),
          });
        } else if (other) other(frame);
        else this.close(new LinkClosed(this.peer, `unexpected frame of type ${frame.type}`));
      };
    });
  }

  sendJson(type: number, value: unknown, id = 0): void {
    if (this.#closed) return; // its buffers are gone
    let bytes = Buffer.from(JSON.stringify(value));
    if (bytes.length > maximumMessage)
      throw new LinkClosed(this.peer, `a message of ${bytes.length} bytes is too large`);
    for (; bytes.length > maximumFrame; bytes = bytes.subarray(maximumFrame)) {
      this.out.u8.set(bytes.subarray(0, maximumFrame), frameHeader);
      this.sendFrame(frameType.beginning, maximumFrame);
    }
    this.out.u8.set(bytes, frameHeader);
    this.sendFrame(type, bytes.length, id);
  }

  /** Sends the frame whose payload has been written to `out`. */
  sendFrame(type: number, length: number, id = 0): void {
    if (!this.#closed) this.#connection.sendFrame(this.number, type, length, id);
  }

  /** Resolves when nothing is queued. @throws LinkClosed */
  async drained(): Promise<void> {
    if (this.#closed) throw this.#closed;
    await this.#connection.drained();
  }

  /** Closes it when all that was sent has gone out. */
  closeWhenSent(): void {
    const close = (): void => this.close();
    this.#connection.loop.start(() => this.drained().then(close, close), close);
  }

  // ---- for the connection ----

  get listening(): boolean {
    return this.#handler !== undefined;
  }

  take(frame: Frame): void {
    if (frame.type === frameType.channelClosed)
      return this.close(new LinkClosed(this.peer, 'the other side closed it'));
    try {
      if (frame.type === frameType.beginning) this.#keep(frame);
      else if (this.#beginning.length === 0) this.#handler?.(frame);
      else this.#takeLong(frame);
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #keep({ memory, offset, length }: Frame): void {
    this.#kept += length;
    if (this.#kept > maximumMessage) throw new RangeError(`Cannot take a message of more than ${maximumMessage} bytes`);
    this.#beginning.push(memory.u8.slice(offset, offset + length));
  }

  #takeLong(end: Frame): void {
    const length = this.#kept + end.length;
    using memory = Memory.anonymous(length);
    let at = 0;
    for (const part of this.#beginning) {
      memory.u8.set(part, at);
      at += part.length;
    }
    memory.u8.set(end.memory.u8.subarray(end.offset, end.offset + end.length), at);
    this.#beginning = [];
    this.#kept = 0;
    this.#handler?.({ ...end, memory, offset: 0, length });
  }

  lost(error: Error): void {
    if (this.#closed) return;
    this.#closed = error;
    for (const handler of this.#closeHandlers.splice(0)) handler(error);
  }

  /** Gives the connection up without closing it. @returns its descriptor */
  release(): number {
    this.#closed = new LinkClosed(this.peer, 'it was handed over');
    return this.#connection.release();
  }

  /** Ends this process's use of the connection; with the last one it is closed. */
  close(error: Error = new LinkClosed(this.peer, 'closed here')): void {
    if (this.#closed) return;
    if (this.#connection.leave(this.number, error))
      this.#connection.sendFrame(this.number, frameType.channelClosed, 0, 0);
    this.lost(error);
  }
}
