/** What mosd does for `mosctl`, `mosps --why`, `mosbestnode` and `mosix events`: orders of the node's owner, evacuation, and why. */
import * as v from 'valibot';

import type { DecisionRecord, Why } from '../balance/decision_log.ts';
import { messageOf } from '../lib/errors.ts';
import type { EvacuationState, OrderState } from '../wire/command_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { pause } from './backoff.ts';
import type { Balancing } from './balancing.ts';
import type { Caller, Handler } from './command_server.ts';
import type { EngineLink } from './engine_link.ts';
import { findProcess, processFor } from './local_process.ts';
import type { Log } from './log.ts';
import type { NodeOrders } from './node_orders.ts';
import { check, pidRequest } from './requests.ts';

/** Milliseconds between two looks at how far an evacuation is. */
const LOOK_MS = 200;
/** Milliseconds for which it goes on trying: what is busy now may be free later. */
const PATIENCE_MS = 120_000;
/** Milliseconds that a question for events waits for one, at most. */
const WAIT_MS = 10_000;
/** Processes that come home at a time. */
const AT_A_TIME = 8;

const orderRequest = v.looseObject({ order: v.picklist(['stay', 'lstay', 'block']), on: v.boolean() });
const sinceRequest = v.looseObject({ after: v.optional(v.number()), wait: v.optional(v.boolean(), false) });

const bestRequest = v.looseObject({ freeMegabytes: v.optional(v.pipe(v.number(), v.minValue(0)), 0) });

export interface BalanceCommandsOptions {
  engine: EngineLink;
  orders: NodeOrders;
  balancing: Balancing;
  log: Log;
}

export class BalanceCommands {
  readonly #options: BalanceCommandsOptions;

  constructor(options: BalanceCommandsOptions) {
    this.#options = options;
  }

  readonly handlers: Readonly<Record<string, Handler>> = {
    why: async (caller, request) => this.#why(caller, check(pidRequest, request).pid),
    decisions: (caller, request) => this.#decisions(caller, check(sinceRequest, request)),
    best: async (caller, request) => this.#best(caller, check(bestRequest, request).freeMegabytes),
    orders: async () => this.#state(),
    order: (caller, request) => this.#order(caller, check(orderRequest, request)),
    expel: (caller, _request, onProgress) => this.#expel(caller, onProgress),
    bring: (caller, _request, onProgress) => this.#bring(caller, onProgress),
  };

  #why(caller: Caller, pid: number): Why {
    processFor(pid, caller, `say why process ${pid} is where it is`);
    return this.#options.balancing.decisions.why(pid);
  }

  /** Of the caller's own processes; root's are all. Those that have ended belong to root only. */
  async #decisions(
    caller: Caller,
    { after, wait }: v.InferOutput<typeof sinceRequest>,
  ): Promise<{ next: number; events: readonly DecisionRecord[] }> {
    const { decisions } = this.#options.balancing;
    const mine = ({ pid }: DecisionRecord): boolean => caller.uid === 0 || findProcess(pid)?.uids[0] === caller.uid;
    for (let waited = 0; ; waited += LOOK_MS) {
      const { next, events } = decisions.since(after);
      const own = events.filter(mine);
      if (own.length > 0 || !wait || waited >= WAIT_MS || caller.gone.aborted) return { next, events: own };
      await pause(LOOK_MS, caller.gone);
    }
  }

  #best({ uid }: Caller, freeMegabytes: number): { node?: string } {
    return { node: this.#options.balancing.bestNode(uid, freeMegabytes * 2 ** 20) };
  }

  #state(): OrderState {
    const { orders } = this.#options;
    return { stay: orders.is('stay'), lstay: orders.is('lstay'), block: orders.is('block'), closed: orders.closed };
  }

  async #order(caller: Caller, { order, on }: v.InferOutput<typeof orderRequest>): Promise<OrderState> {
    const { orders, balancing, log } = this.#options;
    ownerOnly(caller, `${on ? '' : 'no'}${order}`);
    orders.set(order, on);
    log('order', { order, on });
    await balancing.ordersChanged();
    return this.#state();
  }

  /** All guests leave, and none come until `noblock`: they would be back at once. */
  async #expel(caller: Caller, onProgress: (progress: EvacuationState) => void): Promise<EvacuationState> {
    const { engine, log } = this.#options;
    await this.#order(caller, { order: 'block', on: true });
    const total = (await engine.engine.list()).guests.length;
    log('expel', { guests: total });
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      await engine.engine.expel('its host sends its guests away');
      const { guests } = await engine.engine.list();
      const left = guests.map(({ pid, home }) => ({ pid, why: `it is a guest from ${home}` }));
      const state = { gone: Math.max(0, total - left.length), total, left };
      onProgress(state);
      if (left.length === 0 || caller.gone.aborted || performance.now() > deadline) return state;
      await pause(LOOK_MS, caller.gone);
    }
  }

  /** All own processes come home, and stay until `nolstay`: they would leave again at once. A user brings his own. */
  async #bring(caller: Caller, onProgress: (progress: EvacuationState) => void): Promise<EvacuationState> {
    const { engine } = this.#options;
    if (caller.uid === 0) await this.#order(caller, { order: 'lstay', on: true });
    const why = new Map<number, string>();
    const away = async (): Promise<number[]> =>
      (await engine.engine.list()).away
        .filter(({ uid, state }) => state !== 'leaving' && (caller.uid === 0 || uid === caller.uid))
        .map(({ pid }) => pid);
    const all = new Set(await away());
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const queue = await away();
      for (const pid of queue) all.add(pid);
      const left = queue.map((pid) => ({ pid, why: why.get(pid) ?? 'it is on its way' }));
      const state = { gone: all.size - left.length, total: all.size, left };
      onProgress(state);
      if (left.length === 0 || caller.gone.aborted || performance.now() > deadline) return state;
      const work = async (): Promise<void> => {
        for (let pid = queue.shift(); pid !== undefined && !caller.gone.aborted; pid = queue.shift()) {
          const one = pid;
          await engine.engine.home(one, () => {}).catch((error: unknown) => why.set(one, messageOf(error)));
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, work));
      await pause(LOOK_MS, caller.gone);
    }
  }
}

function ownerOnly(caller: Caller, what: string): void {
  if (caller.uid !== 0 && caller.uid !== process.geteuid?.())
    throw new RefusedError(
      'not-permitted',
      `Cannot order ${what}: only root and the user who started mosd may do that`,
    );
}
