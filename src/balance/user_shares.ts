/**
 * Users who want the same CPUs share them by weight, whoever has started more processes: each user's processes on a node are
 * one group with the user's weight, and the kernel divides among groups. As long as a user has work on a node, his part of it
 * is weight ÷ weights of all users there; so it holds for the cluster when the balancer has spread everybody's processes.
 */

export interface UserGroup {
  readonly uid: number;
  /** Relative to other users; 1 is usual. */
  readonly weight: number;
  readonly pids: readonly number[];
}

export const USUAL_WEIGHT = 1;

/** @param owners Whose processes are here. @param weights By user id; who is not in it has USUAL_WEIGHT. */
export function userGroups(
  owners: readonly { readonly pid: number; readonly uid: number }[],
  weights: ReadonlyMap<number, number>,
): UserGroup[] {
  const groups = new Map<number, number[]>();
  for (const { pid, uid } of owners) groups.set(uid, [...(groups.get(uid) ?? []), pid]);
  return [...groups].map(([uid, pids]) => ({ uid, weight: weights.get(uid) ?? USUAL_WEIGHT, pids }));
}

/** The weight of a whole task to the kernel (NICE_0_LOAD), of which a user of the usual weight gets as much for all of his. */
const WHOLE_TASK = 1_024;

/** For `cpu.shares` of a version-1 cgroup: 2 to 262144 (kernel/sched/sched.h, MIN_SHARES and MAX_SHARES). */
export function sharesOf(weight: number): number {
  return Math.min(262_144, Math.max(2, Math.round(WHOLE_TASK * weight)));
}

/** For `cpu.weight` of a version-2 cgroup: 1 to 10000, where 100 is usual. */
export function weightOf(weight: number): number {
  return Math.min(10_000, Math.max(1, Math.round(100 * weight)));
}
