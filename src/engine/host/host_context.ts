/** What a hosting node's worker lends to its guests. */
import type { Loop } from '../link/loop.ts';
import type { Blanks } from './blanks.ts';
import type { FileCache } from './file_cache.ts';

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
  /** Why no guests may come, to be said to those who try; undefined: they may. */
  closed: string | undefined;
  /** A guest was born here. */
  born: (guest: Guest) => void;
  finished: (guest: Guest) => void;
}
