/**
 * The CPU shares of users on this node, made by the kernel: a cgroup for each user below mosd's own, in the hierarchy that has
 * the CPU controller, with the user's weight (cgroup-v1/cpu: cpu.shares). Jobs at home and guests are put there while two users
 * or more want this node; programs that are no jobs are left alone.
 *
 * In version 2 a process is in one cgroup for all controllers, its session's or its job's, and systemd has given each user a
 * slice of equal weight already; nothing is moved there.
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { sharesOf, type UserGroup } from '../balance/user_shares.ts';
import { versionOneDirectory } from './cgroup_limits.ts';

const PREFIX = 'mosix-user-';

export class UserCgroups {
  readonly #base: string | undefined;
  readonly #made = new Map<number, { directory: string; shares: number; pids: Set<number> }>();

  constructor(base: string | undefined = versionOneDirectory('cpu')) {
    this.#base = base;
  }

  /** @param groups Of all users who have processes here. One alone needs no share: then everything goes back. */
  apply(groups: readonly UserGroup[]): void {
    if (this.#base === undefined) return;
    const wanted = groups.length > 1 ? groups : [];
    for (const group of wanted) this.#fill(group);
    const uids = new Set(wanted.map(({ uid }) => uid));
    for (const uid of this.#made.keys()) if (!uids.has(uid)) this.#dissolve(uid);
  }

  /** Nobody looks after them any more: all go back. */
  stop(): void {
    for (const uid of this.#made.keys()) this.#dissolve(uid);
  }

  #fill({ uid, weight, pids }: UserGroup): void {
    const shares = sharesOf(weight);
    let made = this.#made.get(uid);
    if (made === undefined) {
      const directory = join(this.#base ?? '', `${PREFIX}${uid}`);
      if (!attempt(() => mkdirSync(directory)) && !exists(directory)) return;
      made = { directory, shares: 0, pids: new Set() };
      this.#made.set(uid, made);
    }
    const { directory } = made;
    if (made.shares !== shares && attempt(() => writeFileSync(join(directory, 'cpu.shares'), String(shares))))
      made.shares = shares;
    for (const pid of pids)
      if (!made.pids.has(pid)) attempt(() => writeFileSync(join(directory, 'cgroup.procs'), String(pid)));
    made.pids = new Set(pids);
  }

  #dissolve(uid: number): void {
    const made = this.#made.get(uid);
    if (made === undefined) return;
    const { directory } = made;
    const procs = join(dirname(directory), 'cgroup.procs');
    for (const pid of read(join(directory, 'cgroup.procs')).split('\n').filter(Boolean))
      attempt(() => writeFileSync(procs, pid));
    if (attempt(() => rmdirSync(directory))) this.#made.delete(uid);
  }
}

/** @returns whether it could be done; a process may have ended, a right may be missing */
function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

function exists(directory: string): boolean {
  return read(join(directory, 'cpu.shares')) !== '';
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
