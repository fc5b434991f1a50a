/** What both sides say of a fork while away (docs/internals/families.md). */

/** What home needs to know of a fork; with the flag `vm` the child is a lodger. */
export interface ForkRequest {
  tid: number;
  flags: number;
  exitSignal: number;
  /** The child shares memory that is neither's own. */
  shares: boolean;
}

export type ForkAnswer =
  /** A lodger has no channel of its own: 0. */
  | { pid: number; channel: number; pidfd: number }
  /** -errno */
  | { failed: number };
