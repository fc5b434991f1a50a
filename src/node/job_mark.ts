/**
 * Membership of a job where no cgroup can be made: the descendants of its processes, and whatever carries its mark in the
 * environment, which children inherit and which stays when their parent ends. Programs that clear their environment and
 * lose their parent are lost; that is why cgroups come first.
 */
import { readdirSync, readFileSync } from 'node:fs';

import { childrenOf } from '../sys/procfs.ts';
import { JOB_MARK } from '../wire/command_protocol.ts';

/** Processes with all their descendants, but for those that are others', and theirs. */
export function descendants(pids: readonly number[], isOthers: (pid: number) => boolean = () => false): Set<number> {
  const all = new Set(pids.filter((pid) => !isOthers(pid)));
  for (const pid of all) for (const child of childrenOf(pid)) if (!isOthers(child)) all.add(child);
  return all;
}

/** All processes of this machine that carry a mark, with it. Reads every environment: some 20 µs for each process. */
export function markedProcesses(): Map<number, string> {
  const marked = new Map<number, string>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const mark = markOf(Number(name));
    if (mark !== undefined) marked.set(Number(name), mark);
  }
  return marked;
}

export function markOf(pid: number): string | undefined {
  try {
    const start = `${JOB_MARK}=`;
    const entry = readFileSync(`/proc/${pid}/environ`, 'latin1')
      .split('\0')
      .find((text) => text.startsWith(start));
    return entry?.slice(start.length);
  } catch {
    return undefined; // it has ended, or is nobody's business
  }
}
