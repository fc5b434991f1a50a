/**
 * Home's side of an onward move: it readies the next hosting node, has the present one send the body there, and decides.
 * Until home says `go` to the next node and `wentOn` to the last one, the body stays where it is, stopped.
 * See docs/internals/onward.md.
 */
import { frameType } from '../wire/frames.ts';
import { StaysHome } from './capture.ts';
import type { Peer, Progress } from './departure_types.ts';
import { CannotFreeze } from './freeze.ts';
import type { FileSupply, WantedFile } from './file_supply.ts';
import type { GuestLink } from './link.ts';
import { connectHost, prepareHost, type Dialer } from './preparation.ts';

const answerDeadline = 60_000;

/** The present node did not send it on. */
export function refusal(pid: number, reason: string, passing = false): Error {
  return passing ? new CannotFreeze(pid, 'busy', reason) : new StaysHome(pid, reason);
}

export class OnwardMove {
  readonly peer: Peer;
  readonly link: GuestLink;
  readonly supply: FileSupply;
  /** For the node that brings the body. */
  readonly ticket: string;
  readonly #pid: number;
  readonly #ready: Promise<{ type: number; text: string }>;

  private constructor(options: { peer: Peer; link: GuestLink; supply: FileSupply; ticket: string; pid: number }) {
    this.peer = options.peer;
    this.link = options.link;
    this.supply = options.supply;
    this.ticket = options.ticket;
    this.#pid = options.pid;
    this.#ready = this.link.expect([frameType.ready, frameType.abort], answerDeadline);
    this.#ready.catch(() => {}); // it is waited for later
  }

  /** Readies the next node. @throws StaysHome, LinkClosed, HandshakeError */
  static async prepare(
    dialer: Dialer,
    peer: Peer,
    process: {
      pid: number;
      uid: number;
      command: string;
      stubBase: number;
      supply: FileSupply;
      files: WantedFile[];
      progress: Progress;
    },
  ): Promise<OnwardMove> {
    const { pid, uid, command, stubBase, progress } = process;
    const link = await connectHost(dialer, peer);
    const supply = process.supply.forAnotherNode();
    try {
      const files = supply.announceMapped(process.files);
      const who = { pid, uid, command, home: dialer.node, stubBase, onward: true };
      const ticket = await prepareHost(link, who, { supply, files, progress });
      return new OnwardMove({ peer, link, supply, ticket, pid });
    } catch (error) {
      supply.files.free();
      link.close();
      throw error;
    }
  }

  /** Waits until the body is complete there. @throws StaysHome when that node gives up, LinkClosed, DeadlineExceeded */
  async ready(): Promise<void> {
    const { type, text } = await this.#ready;
    if (type !== frameType.abort) return;
    // cast: the peer has proved the cluster's key, and the reason is only shown
    const { reason } = JSON.parse(text) as { reason: string };
    throw new StaysHome(this.#pid, `node ${this.peer.name} gave up: ${reason}`);
  }

  /**
   * The body begins there. Until this is heard nothing that it does there can be seen by anybody: its first call comes
   * later. @throws LinkClosed, DeadlineExceeded
   */
  async begin(): Promise<void> {
    if (this.link.closed) throw this.link.closed;
    const begun = this.link.expect([frameType.use], answerDeadline);
    this.link.sendFrame(frameType.go, 0);
    await begun;
  }

  /** It does not take place. */
  abandon(reason: string): void {
    if (!this.link.closed) this.link.sendJson(frameType.abort, { reason });
    this.link.close();
    this.supply.files.free();
  }
}
