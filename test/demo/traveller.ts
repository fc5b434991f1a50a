/** One program of the demo while it computes: away, home, away to the other node and so on, until it has ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case } from '../suite/case.ts';
import type { ProcessRow } from '../../src/wire/engine_protocol.ts';
import type { Lab } from '../suite/lab.ts';
import { clear, digestOf, Running } from '../suite/running.ts';

/** From start to the first move, and between moves. Shorter shows more moves and less computing. */
const stayMs = 1500;
/** On a slow machine a large program stays for this many times as long as its last move took, to get ahead at all. */
const stayFreezes = 3;
/** The programs leave one after the other, so that each move can be seen. */
const staggerMs = 300;
/** Many times what any of them takes on a slow machine. */
const patienceSeconds = 120;

export interface Move {
  readonly program: string;
  readonly pid: number;
  readonly from: string;
  readonly to: string;
  readonly freezeMs: number;
  readonly totalMs: number;
  readonly bytes: number;
}

export class Traveller {
  readonly one: Case;
  readonly moves: Move[] = [];
  pid = 0;
  where: string;
  state: 'waiting' | 'computing' | 'moving' | 'ended' = 'waiting';
  /** What the home node says of it, while it is away. */
  row: ProcessRow | undefined;
  /** What went wrong; empty if all went well. */
  fault = '';
  readonly #lab: Lab;
  readonly #index: number;
  readonly #onMove: (move: Move) => void;

  constructor(lab: Lab, one: Case, index: number, onMove: (move: Move) => void) {
    this.#lab = lab;
    this.one = one;
    this.where = lab.home.name;
    this.#index = index;
    this.#onMove = onMove;
  }

  /** Runs it to its end; the digest of its output and how it ended. */
  async run(): Promise<{ status: string; digest: string }> {
    await clear(this.#lab, this.one);
    const running = new Running(this.#lab, this.one, []);
    this.pid = running.pid;
    this.state = 'computing';
    const moving = this.#wander(running.ended);
    const { status } = await running.end(patienceSeconds);
    await moving;
    this.state = 'ended';
    this.row = undefined;
    return { status, digest: await digestOf(this.#lab, this.one) };
  }

  async #wander(ended: AbortSignal): Promise<void> {
    await pause(stayMs + this.#index * staggerMs, ended);
    for (let turn = 0; !ended.aborted; turn++) {
      await this.#move(this.#destination(turn), ended);
      await pause(Math.max(stayMs, stayFreezes * (this.moves.at(-1)?.totalMs ?? 0)), ended);
    }
  }

  /** Out, home, out to the next node, home, …; neighbours in the table begin with different nodes. */
  #destination(turn: number): string {
    const { home, hosting } = this.#lab;
    return turn % 2 === 1 ? home.name : hosting[(this.#index + (turn >> 1)) % hosting.length].name;
  }

  async #move(to: string, ended: AbortSignal): Promise<void> {
    const { control, home } = this.#lab;
    this.state = 'moving';
    try {
      const result = await control.move(this.pid, to === home.name ? 'home' : to);
      const { freezeMs, totalMs, bytes } = result;
      const move = { program: this.one.name, pid: this.pid, from: this.where, to, freezeMs, totalMs, bytes };
      this.where = to;
      this.moves.push(move);
      this.#onMove(move);
    } catch (error) {
      await pause(200, ended); // its end and the refusal race: look after a moment whether it has ended
      if (!ended.aborted) this.fault = error instanceof Error ? error.message : String(error);
    }
    this.state = 'computing';
  }
}

async function pause(milliseconds: number, ended: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal: ended }).catch(() => {});
}
