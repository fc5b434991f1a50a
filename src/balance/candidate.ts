/** A process of this node that its balancer may move, wherever it is now, or a set of them that share memory and move as one. */

/** What its user wishes (mosrun). */
export interface Wishes {
  /** Only there (`--nodes`), beside home. */
  readonly nodes?: readonly string[];
  /** Not there (`--not-nodes`). */
  readonly notNodes?: readonly string[];
  /** Only where so much memory is free (`-m`). */
  readonly freeBytes?: number;
  /** Its calls do not count (`-c`). */
  readonly ignoreCalls?: boolean;
}

export interface Candidate {
  /** The first of the set. */
  readonly pid: number;
  readonly set: readonly number[];
  readonly uid: number;
  readonly where: string;
  /** Tasks that run or want to run, on the average. */
  readonly demand: number;
  /** CPUs that it has. */
  readonly cpus: number;
  /** Calls that are or would be forwarded, for each millisecond of work on a standard CPU. */
  readonly callsPerWork: number;
  readonly memoryBytes: number;
  /** Milliseconds for which it has run or wanted to, so far. */
  readonly runnableMs: number;
  readonly wishes: Wishes;
  /** Why it is not to be moved at all, whatever that would bring. */
  readonly bound?: string;
}
