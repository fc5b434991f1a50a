/** What a hosting node's worker lends to its guests. */
import type { Loop } from '../link/loop.ts';
import type { Meeting } from '../link/meeting.ts';
import type { Blanks } from './blanks.ts';
import type { FileCache } from './file_cache.ts';

/** Where those that go on together wait for each other: before the first of them stops, and when all stand still. */
export type GoingOnPoint = 'attached' | 'frozen';

export interface HostContext<Guest> {
  loop: Loop;
  blanks: Blanks;
  files: FileCache;
  node: string;
  runDir: string;
  log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** The cluster's key, for links to other hosting nodes. */
  key: Uint8Array;
  /** A word that gives entrance, of which nobody else knows. */
  ticket: () => string;
  /** Guests that share memory and are going on to another node together, by the id that their home gave them. */
  companies: Map<string, Meeting<GoingOnPoint>>;
  /** Why no guests may come, to be said to those who try; undefined: they may. */
  closed: string | undefined;
  /** A guest was born here. */
  born: (guest: Guest) => void;
  finished: (guest: Guest) => void;
}
