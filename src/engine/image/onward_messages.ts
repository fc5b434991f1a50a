/** What home and the hosting node say of a move to the next node (docs/internals/onward.md). */
import type { CallCounts } from './call_statistics.ts';
import type { Peer } from './departure_types.ts';

/** Those that share memory go on together. */
export interface OnwardCompanyOrder {
  readonly id: string;
  readonly size: number;
}

export interface OnwardOrder {
  to: Peer;
  ticket: string;
  company?: OnwardCompanyOrder | undefined;
}

/** What home hears when the body is frozen, or why it is not. */
export interface GoingOn {
  failed?: string;
  /** What stood in its way passes: it may be tried again. */
  passing?: boolean;
  signalsReceived: number;
  frozenFor: number;
  calls: CallCounts;
}
