/**
 * What the commands say to mosd on `mosd.sock`: the form of engine_protocol.ts. Who asks is known from the socket
 * (SO_PEERCRED), not from the message.
 */
import type { PeerConfig } from '../lib/places.ts';
import type { ProcessList, ProcessRow } from './engine_protocol.ts';

/** Longest answer that a command accepts: a list of some ten thousand processes. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export interface MosdHello {
  node: string;
  pid: number;
  version: string;
  /** Why the node's engine does not answer; absent while it does. */
  engineDown?: string;
}

/** What the user wishes for a program that mosrun is about to become. */
export interface RunOptions {
  /** The node to run on (`-r`). */
  restrict?: string;
  /** Run at home (`-h`). */
  home?: boolean;
  /** No automatic migration (`-L`). */
  stay?: boolean;
}

export interface NodeRow extends PeerConfig {
  /** `connecting`: not tried to the end yet. */
  state: 'up' | 'down' | 'connecting';
  /** This is the node that answers. */
  self?: boolean;
  rttMs?: number;
  /** Why it is not up. */
  why?: string;
}

export interface MosdList extends ProcessList {
  node: string;
  /** Started by mosrun and at home now. */
  home: ProcessRow[];
}

/** mosd's socket in a run directory. */
export function commandSocket(runDir: string): string {
  return `${runDir}/mosd.sock`;
}
