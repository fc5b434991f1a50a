/** The engine's operations with their types (see engine_protocol.ts), over one connection to `engine.sock`. */
import type {
  CallList,
  EngineHello,
  EventList,
  GuestAddress,
  MigrationProgress,
  MoveResult,
  PingResult,
  ProcessList,
  ReleaseResult,
} from './engine_protocol.ts';
import type { LineClient } from './line_client.ts';

type OnProgress = (progress: MigrationProgress) => void;

/**
 * Milliseconds without any progress after which a move counts as failed. Larger: a stuck move is noticed later;
 * smaller: writing back many pages over a slow link, which reports in batches, could be taken for stuck.
 */
const MOVE_TIMEOUT_MS = 60_000;
/** A ping dials the other engine; beyond this the node is of no use. */
const PING_TIMEOUT_MS = 3_000;

export class EngineClient {
  readonly #client: LineClient;

  constructor(client: LineClient) {
    this.#client = client;
  }

  hello(): Promise<EngineHello> {
    return this.#client.request('hello', {}, { timeoutMs: 5_000 }) as Promise<EngineHello>;
  }

  migrate(move: { pid: number; to: GuestAddress }, onProgress: OnProgress): Promise<MoveResult> {
    return this.#move('migrate', move, onProgress);
  }

  home(pid: number, onProgress: OnProgress): Promise<MoveResult> {
    return this.#move('home', { pid }, onProgress);
  }

  release(pid: number): Promise<ReleaseResult> {
    return this.#client.request('release', { pid }, { timeoutMs: MOVE_TIMEOUT_MS }) as Promise<ReleaseResult>;
  }

  list(): Promise<ProcessList> {
    return this.#client.request('list') as Promise<ProcessList>;
  }

  calls(pid: number): Promise<CallList> {
    return this.#client.request('calls', { pid }) as Promise<CallList>;
  }

  ping(to: GuestAddress): Promise<PingResult> {
    return this.#client.request('ping', { to }, { timeoutMs: PING_TIMEOUT_MS }) as Promise<PingResult>;
  }

  /** Events behind the first `after`; waits some seconds for one. Without `after`: what to ask for next time. */
  events(after?: number): Promise<EventList> {
    return this.#client.request('events', { after }) as Promise<EventList>;
  }

  /** Sends all guests home; they are gone when the list shows none. @param reason That they and their homes are told. */
  expel(reason: string): Promise<unknown> {
    return this.#client.request('expel', { reason });
  }

  /** @param closed Why no guests may come from now on; undefined: they may. */
  doors(closed: string | undefined): Promise<unknown> {
    return this.#client.request('doors', { reason: closed });
  }

  /** For each process those that share memory with it and move with it, itself first. */
  sets(pids: readonly number[]): Promise<{ sets: number[][] }> {
    return this.#client.request('sets', { pids }) as Promise<{ sets: number[][] }>;
  }

  /** Brings everything home, sends guests home, and ends the engine. */
  shutdown(): Promise<unknown> {
    return this.#client.request('shutdown', {}, { timeoutMs: MOVE_TIMEOUT_MS });
  }

  #move(op: string, parameters: object, onProgress: OnProgress): Promise<MoveResult> {
    const options = {
      timeoutMs: MOVE_TIMEOUT_MS,
      onProgress: (progress: unknown) => onProgress(progress as MigrationProgress),
    };
    return this.#client.request(op, parameters, options) as Promise<MoveResult>;
  }
}
