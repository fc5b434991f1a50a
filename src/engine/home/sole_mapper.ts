/** Who else has a file that a process maps shared: with others the memory would not be shared any more. */
import fs from 'node:fs';
import { exists, flaggedMappings, livingThread, mappings, statFields, status, type Mapping } from '../../sys/procfs.ts';
import { isUnnamedMemory } from '../image/live_files.ts';
import { fileKey, hasFile, isSegment, isSegmentKey, linesOf } from '../image/mapping_key.ts';
import { StaysHome } from '../image/stays_home.ts';
import { CannotFreeze } from '../task/freeze.ts';
import type { AddressSpace } from '../image/image.ts';

/** Bytes of live files that are compared once a second, and whenever home may look at them. */
export const mostLiveBytes = 256 << 20;

interface Process {
  pid: number;
  name: string;
}

function others(pid: number, companions: readonly number[]): number[] {
  return fs
    .readdirSync('/proc')
    .map(Number)
    .filter((other) => other > 0 && other !== pid && other !== process.pid && !companions.includes(other));
}

function nameOf(pid: number): string {
  return fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

/** Answers for a process that may end at any moment. */
function lookAt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/**
 * Another process that maps one of the files, or (with `names`) has one open: it could map it without anybody's hearing.
 * @param of `keys`: `fileKey`; `names`: what /proc/PID/fd calls the files
 */
export function otherSharer(
  pid: number,
  of: { keys: readonly string[]; names: readonly string[]; companions?: readonly number[] | undefined },
): Process | undefined {
  const maps = mapperOf(of.keys);
  const opens = (other: number): boolean =>
    of.names.length > 0 &&
    fs.readdirSync(`/proc/${other}/fd`).some((fd) => of.names.includes(linkTarget(`/proc/${other}/fd/${fd}`)));
  for (const other of others(pid, of.companions ?? [])) {
    if (lookAt(() => maps(other)) || lookAt(() => opens(other)))
      return { pid: other, name: lookAt(() => nameOf(other)) ?? '' };
  }
  return undefined;
}

/** A test of whether a process maps one of the files. */
function mapperOf(keys: readonly string[]): (pid: number) => boolean {
  const lines = linesOf(keys);
  const segments = keys.some(isSegmentKey);
  const isOne = (m: Mapping, pid: number): boolean =>
    hasFile(m) && lookAt(() => keys.includes(fileKey(m, pid))) === true;
  return (pid) =>
    lines.test(fs.readFileSync(`/proc/${pid}/maps`, 'latin1')) &&
    (!segments || mappings(pid).some((m) => isOne(m, pid)));
}

/** Those of the processes that map a file. */
export function mappersAmong(pids: readonly number[], key: string): number[] {
  const maps = mapperOf([key]);
  return pids.filter((pid) => lookAt(() => maps(pid)));
}

function linkTarget(path: string): string {
  return lookAt(() => fs.readlinkSync(path)) ?? '';
}

/** How far one looks up the tree of processes. */
const mostAncestors = 64;

/**
 * The process and those that share memory with it, directly or by another one, and may leave with it: of the same user, and
 * of the same session or descended from it (a helper may begin a session of its own). Whoever else shares it keeps them all
 * at home.
 */
export function companionsOf(pid: number): number[] {
  const found = [pid];
  const seen = new Set<string>();
  for (const each of found) {
    const keys = lookAt(() => liveKeys(each))?.filter((key) => !seen.has(key)) ?? [];
    if (keys.length === 0) continue;
    for (const key of keys) seen.add(key);
    const maps = mapperOf(keys);
    const shares = (other: number): boolean => maps(other) && comesAlong(other, found, keys);
    found.push(...others(each, found).filter((other) => lookAt(() => shares(other))));
  }
  return found;
}

/** It may leave with them, being of their family. @param keys of what it shares with them */
function comesAlong(pid: number, family: readonly number[], keys: readonly string[]): boolean {
  if (!belongsTo(pid, family)) return false;
  return !keys.some(isSegmentKey) || family.some((one) => namespaceOf(one) === namespaceOf(pid));
}

function belongsTo(pid: number, family: readonly number[]): boolean {
  return family.some(
    (one) =>
      userOf(one) === userOf(pid) && (sessionOf(one) === sessionOf(pid) || descends(pid, one) || descends(one, pid)),
  );
}

/** Segments of two IPC namespaces may have been made at once, and then nothing tells them apart. */
function namespaceOf(pid: number): string {
  return fs.readlinkSync(`/proc/${pid}/ns/ipc`);
}

function userOf(pid: number): string | undefined {
  return status(pid).get('Uid');
}

function sessionOf(pid: number): string {
  return statFields(pid)(6);
}

function descends(pid: number, from: number): boolean {
  for (let one = pid, steps = 0; one > 1 && steps < mostAncestors; one = Number(statFields(one)(4)), steps++)
    if (one === from) return true;
  return false;
}

/** The files (`fileKey`) that these processes may write through their memory. */
export function writtenBy(pids: readonly number[]): Set<string> {
  return new Set(pids.flatMap((pid) => lookAt(() => liveKeys(pid)) ?? []));
}

function liveKeys(pid: number): string[] {
  const isShared = (m: Mapping): boolean => m.permissions[3] === 's' && hasFile(m);
  if (!mappings(pid).some(isShared)) return []; // the flags take longer
  const live = flaggedMappings(pid).filter((m) => isShared(m) && (m.flags.has('mw') || isSegment(m)));
  return [...new Set(live.flatMap((m) => lookAt(() => fileKey(m, pid)) ?? []))];
}

/** One of those that would leave along has just been born, or has just ended: at the next look the family is another one. */
export class FamilyChanged extends CannotFreeze {
  constructor(pid: number, other: number) {
    super(pid, 'busy', `process ${other}, which shares its memory, was born meanwhile`);
  }
}

/** Whether it would have left along, had it been there before; or it has ended since. */
function isNew(pid: number, family: readonly number[], keys: readonly string[]): boolean {
  if (!exists(pid)) return true;
  const maps = mapperOf(keys);
  return lookAt(() => maps(pid) && comesAlong(pid, family, keys)) ?? true;
}

/** Whoever shares memory with others stays with them. @throws StaysHome, FamilyChanged */
export function refuseSharers(
  pid: number,
  space: AddressSpace,
  looks: { open: boolean; companions?: readonly number[] | undefined },
): void {
  const starts = new Set(space.mappings.filter((m) => m.live).map((m) => m.start));
  if (starts.size === 0) return;
  const view = livingThread(pid) ?? pid;
  const all = mappings(view).filter(hasFile);
  const live = all.filter((m) => starts.has(m.start));
  const bytes = space.files.reduce((sum, file) => sum + (file.live === 'file' ? file.size : 0), 0);
  if (bytes > mostLiveBytes)
    throw new StaysHome(pid, `it maps ${bytes >> 20} MB of files and segments shared and writable`);
  const keyOf = (m: Mapping): string => lookAt(() => fileKey(m, view)) ?? '';
  const keys = [...new Set(live.map(keyOf))].filter((key) => key !== '');
  const named = live.filter((m) => !isUnnamedMemory(m.name) && !isSegment(m));
  const names = looks.open ? named.map(({ name }) => name) : [];
  const sharer = otherSharer(pid, { keys, names, companions: looks.companions });
  if (sharer && isNew(sharer.pid, [...(looks.companions ?? []), pid], keys)) throw new FamilyChanged(pid, sharer.pid);
  if (sharer) throw new StaysHome(pid, `it shares memory with process ${sharer.pid} (${sharer.name})`);
  // A copy that does not follow what is written through the shared mapping would be wrong.
  // While it runs it may have moved a shared one since; of segments all are live.
  const isOther = (m: Mapping): boolean => !isSegment(m) && !(looks.open && m.permissions[3] === 's');
  const twice = all.find((m) => !starts.has(m.start) && isOther(m) && keys.includes(keyOf(m)));
  if (twice) throw new StaysHome(pid, `it maps ${twice.name} both shared and otherwise`);
}
