/** The operations of mosd with their types (see command_protocol.ts), for the commands. */
import type {
  ClusterReport,
  CpuUse,
  DecisionRow,
  EvacuationState,
  JobMoveResult,
  JobRow,
  MosdHello,
  MosdList,
  NodeRow,
  OrderState,
  PeerFindings,
  RunOptions,
  TokenResult,
  WatchNews,
  WhyAnswer,
} from './command_protocol.ts';
import type { CallList, MigrationProgress, MoveResult, ReleaseResult } from './engine_protocol.ts';
import type { LineClient } from './line_client.ts';

/** Longer than mosd waits for its engine, so that mosd's own message wins. */
const MOVE_TIMEOUT_MS = 90_000;
/** Milliseconds without a sign of life, of which there is one every 5 s. */
const WATCH_SILENCE_MS = 20_000;
/** Longer than mosd waits for the issuer. */
const LEAVE_TIMEOUT_MS = 15_000;

export interface MoveRequest {
  pid: number;
  /** A node's name, or `home`. */
  to: string;
  /** Whether the answer waits until the process has moved. Default: true. */
  wait?: boolean;
}

export class CommandClient {
  readonly #client: LineClient;

  constructor(client: LineClient) {
    this.#client = client;
  }

  hello(): Promise<MosdHello> {
    return this.#client.request('hello') as Promise<MosdHello>;
  }

  /** Registers the calling process: it is about to become a user's program. */
  run(options: RunOptions): Promise<unknown> {
    return this.#client.request('run', { options });
  }

  /** Takes the registration back: the calling process could not become the program. */
  cancelRun(): Promise<unknown> {
    return this.#client.request('cancel-run');
  }

  /** @returns undefined if it was not to be waited for */
  migrate(
    move: MoveRequest,
    onProgress: (progress: MigrationProgress) => void = () => {},
  ): Promise<MoveResult | undefined> {
    const options = {
      timeoutMs: MOVE_TIMEOUT_MS,
      onProgress: (progress: unknown) => onProgress(progress as MigrationProgress),
    };
    return this.#client.request('migrate', move, options) as Promise<MoveResult | undefined>;
  }

  release(pid: number): Promise<ReleaseResult> {
    return this.#client.request('release', { pid }, { timeoutMs: MOVE_TIMEOUT_MS }) as Promise<ReleaseResult>;
  }

  list(): Promise<MosdList> {
    return this.#client.request('list') as Promise<MosdList>;
  }

  nodes(): Promise<NodeRow[]> {
    return this.#client.request('nodes') as Promise<NodeRow[]>;
  }

  /** Tells what happens until the connection ends, which is the only way in which the promise settles. */
  watch(onNews: (news: WatchNews) => void): Promise<unknown> {
    const onProgress = (news: unknown): void => onNews(news as WatchNews);
    return this.#client.request('watch', {}, { timeoutMs: WATCH_SILENCE_MS, onProgress });
  }

  calls(pid: number): Promise<CallList> {
    return this.#client.request('calls', { pid }) as Promise<CallList>;
  }

  /** The caller's jobs; root's are all. */
  jobs(): Promise<JobRow[]> {
    return this.#client.request('jobs') as Promise<JobRow[]>;
  }

  /** Moves all processes of the jobs of a name, and whatever they start from now on. */
  migrateJob(job: string, to: string): Promise<JobMoveResult> {
    return this.#client.request('migrate-job', { job, to }, { timeoutMs: MOVE_TIMEOUT_MS }) as Promise<JobMoveResult>;
  }

  /** CPU time of a process that runs. */
  time(pid: number): Promise<CpuUse> {
    return this.#client.request('time', { pid }) as Promise<CpuUse>;
  }

  /** Brings a process home, where it is to stay. */
  attach(pid: number): Promise<{ from?: string }> {
    return this.#client.request('attach', { pid }, { timeoutMs: MOVE_TIMEOUT_MS }) as Promise<{ from?: string }>;
  }

  cluster(): Promise<ClusterReport> {
    return this.#client.request('cluster') as Promise<ClusterReport>;
  }

  token(parameters: { ttlMs?: number; address?: string }): Promise<TokenResult> {
    return this.#client.request('token', parameters) as Promise<TokenResult>;
  }

  revoke(node: string): Promise<unknown> {
    return this.#client.request('revoke', { node });
  }

  rotateAuthority(finish: boolean): Promise<unknown> {
    return this.#client.request('rotate-ca', { finish });
  }

  set(settings: Partial<ClusterReport['settings']>): Promise<unknown> {
    return this.#client.request('set', { settings });
  }

  /** Tells the other nodes that this one leaves. */
  leave(): Promise<unknown> {
    return this.#client.request('leave', {}, { timeoutMs: LEAVE_TIMEOUT_MS });
  }

  askPeer(node: string): Promise<PeerFindings> {
    return this.#client.request('ask-peer', { node }) as Promise<PeerFindings>;
  }

  /** Why a process is where it is. */
  why(pid: number): Promise<WhyAnswer> {
    return this.#client.request('why', { pid }) as Promise<WhyAnswer>;
  }

  /** What the balancer did behind `after`; `wait`: until there is something, some seconds long. */
  decisions(after: number | undefined, wait: boolean): Promise<{ next: number; events: DecisionRow[] }> {
    return this.#client.request('decisions', { after, wait }, { timeoutMs: 30_000 }) as Promise<{
      next: number;
      events: DecisionRow[];
    }>;
  }

  /** The best node for a program, which counts as begun there. @returns no node if none has so much memory */
  best(freeMegabytes: number): Promise<{ node?: string }> {
    return this.#client.request('best', { freeMegabytes }) as Promise<{ node?: string }>;
  }

  orders(): Promise<OrderState> {
    return this.#client.request('orders') as Promise<OrderState>;
  }

  order(order: 'stay' | 'lstay' | 'block', on: boolean): Promise<OrderState> {
    return this.#client.request('order', { order, on }) as Promise<OrderState>;
  }

  /** Sends guests away (`expel`), or brings own processes home (`bring`), for as long as the connection lasts. */
  evacuate(op: 'expel' | 'bring', onProgress: (state: EvacuationState) => void): Promise<EvacuationState> {
    const options = {
      timeoutMs: 150_000,
      onProgress: (state: unknown) => onProgress(state as EvacuationState),
    };
    return this.#client.request(op, {}, options) as Promise<EvacuationState>;
  }

  /** Ends mosd and its engine after everything has come home. */
  shutdown(): Promise<unknown> {
    return this.#client.request('shutdown', {}, { timeoutMs: MOVE_TIMEOUT_MS });
  }
}
