/**
 * Home's side of an onward move: it readies the next hosting node, has the present one send the body there, and decides.
 * Until home says `go` to the next node and `wentOn` to the last one, the body stays where it is, stopped.
 * See docs/internals/onward.md.
 */
import { frameType } from '../../wire/frames.ts';
import { StaysHome } from '../image/stays_home.ts';
import type { Peer, Progress } from '../image/departure_types.ts';
import { CannotFreeze } from '../task/freeze.ts';
import type { FileSupply } from './file_supply.ts';
import type { WantedFile } from '../image/mapped_files.ts';
import type { GuestLink } from '../link/link.ts';
import { connectHost, type Dialer } from '../image/dial.ts';
import type { OnwardCompany } from './onward_company.ts';
import { prepareHost } from './preparation.ts';
import { holdAt, type Holder } from './hold.ts';
import type { GoingOn, OnwardOrder } from '../image/onward_messages.ts';

const answerDeadline = 60_000;

/** The present node did not send it on. */
function refusal(pid: number, reason: string, passing = false): Error {
  return passing ? new CannotFreeze(pid, 'busy', reason) : new StaysHome(pid, reason);
}

/** What moves, and how its present node is asked. */
export interface Traveller {
  readonly pid: number;
  readonly uid: number;
  readonly command: string;
  readonly stubBase: number;
  /** The present node's name. */
  readonly node: string;
  readonly supply: FileSupply;
  readonly progress: Progress;
  ask<T>(type: number, value: unknown, answer: number): Promise<T>;
  /** Whether the body, which got so many signals, must hear something before it runs. */
  readonly mustWait: (signalsReceived: number) => boolean;
  /** What has happened meanwhile that forbids it to go on alone; empty if nothing has. */
  readonly obstacle: () => string;
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

  /** Everything up to home's decision. @throws any error; then the body can stay where it is */
  static async carry(
    context: Dialer & Holder,
    peer: Peer,
    traveller: Traveller,
    company?: OnwardCompany,
  ): Promise<{ move: OnwardMove; left: GoingOn; frozenAt: number; begunStopped: boolean }> {
    const { pid, node, progress } = traveller;
    progress('connect', 0, 0);
    const { files: mapped } = await traveller.ask<{ files: WantedFile[] }>(frameType.survey, {}, frameType.surveyed);
    const files = traveller.supply.withEarlier(mapped);
    const move = await OnwardMove.#prepare(context, peer, { ...traveller, files }, company);
    try {
      await holdAt('onward-prepared', pid, context);
      await company?.meet('prepared');
      progress('freeze', 0, 0);
      move.link.peerPatience = 'frozen';
      const orFail = <T>(work: Promise<T>): Promise<T> => company?.orFail(work) ?? work;
      const order: OnwardOrder = { to: peer, ticket: move.ticket, company: company?.order };
      const left = await orFail(traveller.ask<GoingOn>(frameType.goOn, order, frameType.goingOn));
      if (left.failed) throw refusal(pid, `node ${node} did not send it on: ${left.failed}`, left.passing);
      refuseObstacle(traveller);
      const frozenAt = performance.now() - left.frozenFor;
      await holdAt('onward-going', pid, context);
      await orFail(move.#bodyArrived());
      await holdAt('onward-ready', pid, context);
      let begunStopped = false;
      const check = (): void => refuseObstacle(traveller);
      const go = (): Promise<void> => {
        begunStopped = traveller.mustWait(left.signalsReceived);
        return move.#begin(begunStopped);
      };
      if (company) await company.begin({ check, go });
      else {
        check();
        await go();
      }
      move.link.peerPatience = 'away';
      return { move, left, frozenAt, begunStopped };
    } catch (error) {
      move.abandon(String(error));
      throw error;
    }
  }

  /** Readies the next node. @throws StaysHome, LinkClosed, HandshakeError */
  static async #prepare(
    dialer: Dialer,
    peer: Peer,
    process: Traveller & { files: WantedFile[] },
    company: OnwardCompany | undefined,
  ): Promise<OnwardMove> {
    const { pid, uid, command, stubBase, progress } = process;
    const dial = (): Promise<GuestLink> => connectHost(dialer, peer);
    const link = await (company?.link(dial) ?? dial());
    const supply = process.supply.forAnotherNode();
    try {
      const files = supply.announceMapped(process.files);
      supply.watchLive();
      const who = { pid, uid, command, home: dialer.node, stubBase, onward: true };
      const ticket = await prepareHost(link, who, { supply, files, progress });
      return new OnwardMove({ peer, link, supply, ticket, pid });
    } catch (error) {
      supply.close();
      link.close();
      throw error;
    }
  }

  /** Waits until the body is complete there. @throws StaysHome when that node gives up, LinkClosed, DeadlineExceeded */
  async #bodyArrived(): Promise<void> {
    const { type, text } = await this.#ready;
    if (type !== frameType.abort) return;
    // cast: the peer has proved the cluster's key, and the reason is only shown
    const { reason } = JSON.parse(text) as { reason: string };
    throw new StaysHome(this.#pid, `node ${this.peer.name} gave up: ${reason}`);
  }

  /**
   * The body begins there. Until this is heard nothing that it does there can be seen by anybody: its first call comes
   * later. One that must wait begins stopped. @throws LinkClosed, DeadlineExceeded
   */
  async #begin(stopped: boolean): Promise<void> {
    if (this.link.closed) throw this.link.closed;
    const begun = this.link.expect([frameType.use], answerDeadline);
    if (stopped) this.link.sendFrame(frameType.stopped, 0);
    this.link.sendFrame(frameType.go, 0);
    await begun;
  }

  /** It does not take place. */
  abandon(reason: string): void {
    if (!this.link.closed) this.link.sendJson(frameType.abort, { reason });
    this.link.close();
    this.supply.close();
  }
}

/** @throws CannotFreeze */
function refuseObstacle({ pid, obstacle }: Traveller): void {
  const reason = obstacle();
  if (reason !== '') throw new CannotFreeze(pid, 'busy', reason);
}
