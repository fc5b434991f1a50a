/** A process of this machine as mosd needs to know it: whose it is, and whether it is still the same one. */
import { readFileSync } from 'node:fs';

import { errnoOf } from '../lib/errors.ts';
import { isKernelThread, livingThread, statFields, status } from '../sys/procfs.ts';
import { RefusedError } from '../wire/line_errors.ts';
import type { Credentials } from './peer_process.ts';

export interface LocalProcess {
  pid: number;
  /** Real, effective and saved user ids. */
  uids: readonly number[];
  comm: string;
  threads: number;
  memoryBytes: number;
  /** CPU time used on this node. */
  cpuMs: number;
  /** Clock ticks since boot; with the pid it names a process for good, because pids come again. */
  startTime: number;
  /** It has ended and waits for its parent, or is just about to end. */
  ended: boolean;
  /** It is a part of the kernel. */
  kernelThread: boolean;
  /** The process that it is a thread of; its own pid if it is a process. */
  threadGroup: number;
}

/** Of the times in /proc/PID/stat: USER_HZ, 100 everywhere. */
const TICK_MS = 10;

/** @returns undefined if there is no such process */
export function findProcess(pid: number): LocalProcess | undefined {
  try {
    const living = livingThread(pid);
    const fields = status(pid);
    const stat = statFields(pid);
    const number = (name: string): number => Number.parseInt(fields.get(name) ?? '0', 10);
    return {
      pid,
      uids: (fields.get('Uid') ?? '').split(/\s+/).slice(0, 3).map(Number),
      comm: readFileSync(`/proc/${pid}/comm`, 'latin1').trimEnd(),
      threads: number('Threads'),
      memoryBytes: living === undefined ? 0 : Number.parseInt(status(living).get('VmRSS') ?? '0', 10) * 1024,
      cpuMs: (Number(stat(14)) + Number(stat(15))) * TICK_MS,
      startTime: Number(stat(22)),
      ended: living === undefined || (living === pid && !fields.has('VmSize') && !isKernelThread(pid)),
      kernelThread: isKernelThread(pid),
      threadGroup: number('Tgid'),
    };
  } catch (error) {
    // ESRCH: it ended while we read.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** 0 if it has none here, or has ended. */
export function parentOf(pid: number): number {
  try {
    return Number(statFields(pid)(4));
  } catch {
    return 0;
  }
}

/**
 * The process, if the caller may act on it: root, or whoever all three user ids of it belong to. That is stricter
 * than the rule for signals: a set-user-id program has rights its user lacks, and those must not leave the node.
 * @param what For the message: "migrate process 12".
 * @throws RefusedError
 */
export function processFor(pid: number, caller: Credentials, what: string): LocalProcess {
  const found = findProcess(pid);
  if (found === undefined)
    throw new RefusedError('no-such-process', `Cannot ${what}: there is no such process on this node`);
  if (found.threadGroup !== pid) {
    throw new RefusedError(
      'no-such-process',
      `Cannot ${what}: it is a thread of process ${found.threadGroup}; name that one`,
    );
  }
  if (caller.uid !== 0 && found.uids.some((uid) => uid !== caller.uid)) {
    throw new RefusedError('not-permitted', `Cannot ${what}: it is not yours; only its owner or root may do that`);
  }
  const daemon = process.geteuid?.() ?? 0;
  if (daemon !== 0 && found.uids.some((uid) => uid !== daemon)) {
    const reason = `this mosd runs as user ${daemon} and may touch that user's processes only`;
    throw new RefusedError('not-permitted', `Cannot ${what}: ${reason}`);
  }
  if (found.ended) throw new RefusedError('no-such-process', `Cannot ${what}: it has already ended`);
  if (found.kernelThread) throw new RefusedError('stays-home', `Cannot ${what}: it is a part of the kernel`);
  return found;
}
