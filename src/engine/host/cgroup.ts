/** A cgroup for each guest, so that all its processes can be found, frozen and ended together. */
import fs from 'node:fs';
import path from 'node:path';
import { cgroupDirectory } from '../../sys/cgroups.ts';
import type { Loop } from '../link/loop.ts';

/** Where this process's cgroup2 directory is, or undefined without cgroup2. */
function ownCgroup(): string | undefined {
  const directory = cgroupDirectory('self');
  return directory !== undefined && fs.existsSync(path.join(directory, 'cgroup.procs')) ? directory : undefined;
}

let parent: string | undefined | null = null;

/** Makes the guest's cgroup; without cgroup2 guests live in the engine's. @returns its directory */
export function guestCgroup(number: number): string | undefined {
  if (parent === null) parent = ownCgroup();
  if (!parent) return undefined;
  const directory = path.join(parent, `mosix-guest-${process.pid}-${number}`);
  try {
    fs.mkdirSync(directory);
    return directory;
  } catch {
    parent = undefined; // not ours to divide; said once by `mosd` at start
    return undefined;
  }
}

/** How often and how long one looks whether the last process of a cgroup has been taken away, milliseconds. */
const emptyLook = 250;
const emptyLooks = 40;

/** Ends what is in a cgroup, and removes it as soon as it is empty. */
export function removeCgroup(loop: Loop, directory: string, looks = emptyLooks): void {
  if (removed(directory) || looks === 0) return; // the next start of an engine removes what is left
  loop.after(emptyLook, () => removeCgroup(loop, directory, looks - 1));
}

function removed(directory: string): boolean {
  try {
    fs.writeFileSync(path.join(directory, 'cgroup.kill'), '1');
  } catch {
    // empty already, or before Linux 5.14
  }
  try {
    fs.rmdirSync(directory);
    return true;
  } catch {
    return !fs.existsSync(directory);
  }
}

/** Old enough that its guest has long been put into it. */
const settledMilliseconds = 60_000;

/** Removes the empty cgroups that engines left here when they were killed; their guests ended with them. */
export function removeLeftCgroups(): void {
  const directory = ownCgroup();
  if (!directory) return;
  for (const name of fs.readdirSync(directory)) {
    if (!name.startsWith('mosix-guest-')) continue;
    try {
      const left = path.join(directory, name);
      if (Date.now() - fs.statSync(left).mtimeMs > settledMilliseconds) fs.rmdirSync(left);
    } catch {
      // somebody lives in it, or it is gone
    }
  }
}
