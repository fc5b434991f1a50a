/** Bringing a body back into its deputy: the address space is made to match, pages are written, threads resume natively. */
import { close, openPath } from '../../sys/descriptors.ts';
import { mappings, type Mapping } from '../../sys/procfs.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import type { Range } from '../../sys/remote_memory.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_GROWSDOWN, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED } from '../../sys/memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { ifThere, readAddressSpace, type IdentifyFile } from '../image/capture.ts';
import { hasFile } from '../image/mapping_key.ts';
import { holdMemory, letGoOfMemory, pathOfMapped } from '../image/mapping_source.ts';
import { restoreLodger } from '../image/lodger.ts';
import type { AddressSpace, FileImage, MappingImage, ProcessImage } from '../image/image.ts';
import { markRings } from '../image/rings.ts';
import { identityOf } from '../image/live_files.ts';
import { knownWait, madeAs, specialNames } from '../image/image.ts';
import type { Loop } from '../link/loop.ts';
import { SIGCONT } from '../task/default_actions.ts';
import { movedSegments } from './moved_segments.ts';
import { goBack } from '../task/masked_calls.ts';
import { finishWrite } from '../task/partial_writes.ts';
import {
  finishingCalls,
  passDescriptors,
  registrationCalls,
  setProcessState,
  setThreadContext,
} from '../image/restore.ts';
import { dropUnheard, queueReturned, setContinueAction } from './returned_signals.ts';
import { withSpareDescriptors } from '../task/spare_descriptors.ts';
import { layout, mapAnonymous, syscallInstruction, type InjectedCall, type Stub } from '../task/stub.ts';
import { goOnAtHome } from '../task/thaw.ts';
import { startTimers } from '../image/timers.ts';

/** Open descriptors of the files a process maps, by identity, so that a mapping can be made again anywhere. */
export class MappedFiles {
  readonly #files = new Map<string, { descriptor: number; users: number }>();
  readonly #live = new Map<string, string>();
  readonly #segments = new Set<string>();

  /** Remembers a file by a path that opens it now. @param mapping where it is mapped at home, if it is */
  remember(image: FileImage, path: string, mapping?: Mapping): void {
    if (this.#files.has(image.identity)) return;
    const descriptor = openPath(path, image.segment ? O_RDWR | O_NOATIME : image.live ? O_RDWR : 0);
    this.#files.set(image.identity, { descriptor, users: 1 });
    if (image.segment) this.#segments.add(image.identity);
    else if (image.live) this.#live.set(image.identity, identityOf(descriptor));
    if (image.live === 'memory' && mapping) holdMemory(mapping, descriptor);
  }

  /** Device and inode of the live files that a descriptor may lead to. */
  get live(): ReadonlyMap<string, string> {
    return this.#live;
  }

  /** The other live files: System V shared memory. */
  get segments(): ReadonlySet<string> {
    return this.#segments;
  }

  /** Remembers what another process remembers; the descriptors are shared. */
  share(other: MappedFiles): void {
    for (const [identity, file] of other.#files) {
      if (this.#files.has(identity)) continue; // it is counted once for each of us
      file.users++;
      this.#files.set(identity, file);
    }
    for (const [identity, key] of other.#live) this.#live.set(identity, key);
    for (const identity of other.#segments) this.#segments.add(identity);
  }

  /** Remembers all files of an address space, also deleted ones; of a process that runs, those that it still maps. */
  rememberAll(pid: number, identify: IdentifyFile, space: AddressSpace): void {
    const mapped = new Map(space.mappings.filter(({ file }) => file >= 0).map((m) => [m.start, m]));
    for (const m of mappings(pid)) {
      const wanted = hasFile(m) ? mapped.get(m.start) : undefined;
      if (wanted) ifThere(() => this.remember(identify(m, pid, wanted.live === true), pathOfMapped(pid, m), m));
    }
  }

  descriptor(identity: string): number | undefined {
    return this.#files.get(identity)?.descriptor;
  }

  free(): void {
    for (const file of this.#files.values())
      if (--file.users === 0) {
        letGoOfMemory(file.descriptor);
        close(file.descriptor);
      }
    this.#files.clear();
    this.#live.clear();
    this.#segments.clear();
  }
}

const O_RDWR = 2;
const O_NOATIME = 0o1000000;
const MADV_DONTNEED = 4;
const MADV_DONTNEED_LOCKED = 24;

function sameKind(
  image: AddressSpace,
  wanted: MappingImage,
  old: MappingImage,
  oldFiles: readonly FileImage[],
): boolean {
  const identity = (m: MappingImage, files: readonly FileImage[]): string => (m.file < 0 ? '' : files[m.file].identity);
  if (identity(wanted, image.files) !== identity(old, oldFiles) || wanted.shared !== old.shared) return false;
  if (wanted.file >= 0 && wanted.offset - wanted.start !== old.offset - old.start) return false;
  // A segment is never mapped anew: it would be attached no more.
  return image.files[wanted.file]?.segment === true || wanted.flags.join() === old.flags.join();
}

/** Of mappings in the order of their addresses those that overlap a range. There may be tens of thousands of both. */
function overlapping(sorted: readonly MappingImage[], range: { start: number; end: number }): MappingImage[] {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    if (sorted[middle].end <= range.start) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < sorted.length && sorted[end].start < range.end) end++;
  return sorted.slice(low, end);
}

/** The calls that turn the deputy's address space into the body's, without content. `files`: descriptors in the deputy. */
function reconcile(image: AddressSpace, old: AddressSpace, files: readonly (number | undefined)[]): InjectedCall[] {
  const wanted = image.mappings.filter((m) => !specialNames.has(m.name));
  const present = old.mappings.filter((m) => !specialNames.has(m.name));
  const calls: InjectedCall[] = [];
  for (const o of present) {
    let from = o.start;
    for (const w of overlapping(wanted, o)) {
      if (w.end <= from || w.start >= o.end) continue;
      if (w.start > from) calls.push([nr.munmap, from, w.start - from]);
      from = Math.max(from, w.end);
    }
    if (from < o.end) calls.push([nr.munmap, from, o.end - from]);
  }
  const emptied: EmptiedRange[] = [];
  for (const w of wanted) calls.push(...makeMapping(image, w, present, { oldFiles: old.files, files, emptied }));
  for (const { start, end, locked } of emptied)
    calls.push([nr.madvise, start, end - start, locked ? MADV_DONTNEED_LOCKED : MADV_DONTNEED]);
  return calls;
}

/** Pages of the deputy's that hold nothing of the body. */
interface EmptiedRange {
  start: number;
  end: number;
  locked: boolean;
}

/** Neighbours are emptied by one call: there may be tens of thousands. */
function empty(ranges: EmptiedRange[], range: EmptiedRange): void {
  const last = ranges.at(-1);
  if (last?.end === range.start && last.locked === range.locked) last.end = range.end;
  else ranges.push(range);
}

function makeMapping(
  image: AddressSpace,
  w: MappingImage,
  present: readonly MappingImage[],
  {
    oldFiles,
    files,
    emptied,
  }: { oldFiles: readonly FileImage[]; files: readonly (number | undefined)[]; emptied: EmptiedRange[] },
): InjectedCall[] {
  if (w.ring) return []; // as it was; only what is in it comes home
  const calls: InjectedCall[] = [];
  const { protection, noReserve } = madeAs(w);
  const reserve = noReserve ? MAP_NORESERVE : 0;
  const fresh = (start: number, end: number): void => {
    if (end <= start) return;
    const fd = w.file >= 0 ? files[w.file] : undefined;
    if (fd !== undefined)
      calls.push([
        nr.mmap,
        start,
        end - start,
        protection,
        MAP_FIXED | reserve | (w.shared ? MAP_SHARED : MAP_PRIVATE),
        fd,
        w.offset + start - w.start,
      ]);
    else if (w.shared)
      calls.push([nr.mmap, start, end - start, protection, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0]);
    else
      calls.push(mapAnonymous(start, end - start, protection, reserve | (w.flags.includes('gd') ? MAP_GROWSDOWN : 0)));
  };
  let from = w.start;
  for (const o of overlapping(present, w)) {
    if (o.end <= from || o.start >= w.end || !sameKind(image, w, o, oldFiles)) continue;
    // Memory that was moved or has grown would fall into two mappings, which mremap(2) does not take as one.
    if (w.file < 0 && (o.start > w.start || o.end < w.end)) continue;
    const start = Math.max(from, o.start);
    const end = Math.min(w.end, o.end);
    fresh(from, start);
    if (w.live && o.protection !== protection) calls.push([nr.mprotect, start, end - start, protection]);
    if (w.live) calls.push(...unflagCalls({ start, end }, o.flags, w.flags));
    if (!w.shared) {
      if (o.protection !== protection) calls.push([nr.mprotect, start, end - start, protection]);
      empty(emptied, { start, end, locked: o.flags.includes('lo') });
    }
    from = end;
  }
  fresh(from, w.end);
  return calls;
}

/** madvise(2) advice that takes a flag back, for mappings that stay: MADV_DOFORK, MADV_DODUMP, MADV_NORMAL. */
const withdrawal: Readonly<Record<string, number>> = { dc: 11, dd: 17, sr: 0, rr: 0 };

function unflagCalls(
  { start, end }: { start: number; end: number },
  had: readonly string[],
  wanted: readonly string[],
): InjectedCall[] {
  return had
    .filter((flag) => !wanted.includes(flag))
    .flatMap((flag): InjectedCall[] => {
      if (flag === 'lo') return [[nr.munlock, start, end - start]];
      return flag in withdrawal ? [[nr.madvise, start, end - start, withdrawal[flag]]] : [];
    });
}

/** Files of a process, as home knows them. */
export interface KnownFiles {
  identify: IdentifyFile;
  /** undefined: it was made away, and nobody else has it. */
  descriptor(file: FileImage): number | undefined;
}

/** Step 1: the deputy's memory becomes the body's, empty. From here on there is no way back. */
export function adoptAddressSpace(stub: Stub, main: StoppedTask, image: AddressSpace, known: KnownFiles): void {
  const own: Range[] = [{ address: stub.base, length: layout.size }];
  using session = stub.borrow(main);
  stub.unmapBounce(session);
  const read = (): AddressSpace => readAddressSpace(stub.view, { identify: known.identify, own });
  let old = read();
  const moved = movedSegments(image, old);
  if (moved.length > 0) {
    session.run(moved);
    old = read();
  }
  image.mappings = markRings(image.mappings, old.mappings);
  const open = image.files.map((file) => known.descriptor(file));
  const opened = open.filter((fd) => fd !== undefined).map((fd) => ({ mapDescriptor: fd }));
  const passed = withSpareDescriptors(main, () => passDescriptors(stub, session, opened));
  let next = 0;
  const files = open.map((fd) => (fd === undefined ? undefined : passed[next++]));
  const closing = passed.map((fd): InjectedCall => [nr.close, fd]);
  session.must('bring the address space home', [...reconcile(image, old, files), ...closing]);
}

/** A thread that may not go on before a child has executed a program or ended; both are stopped still. */
export interface WaitingCouple {
  parent: StoppedTask;
  child: StoppedTask;
}

/** Step 2, while pages are on their way: what is the process's and does not let it run yet. */
export function setUpAtHome(stub: Stub, main: StoppedTask, image: ProcessImage): void {
  using session = stub.borrow(main);
  setProcessState(stub, session, image, { trapAction: false, later: SIGCONT });
}

/**
 * Step 3, when all pages are there: protections, threads; then the process runs natively.
 * `lodgers` are tasks that borrow its memory.
 */
export function resumeAtHome(
  loop: Loop,
  stub: Stub,
  { tasks, lodgers = [] }: { tasks: readonly StoppedTask[]; lodgers?: readonly StoppedTask[] },
  image: ProcessImage,
): WaitingCouple[] {
  const main = tasks[0];
  const byTid = new Map(tasks.map((task) => [task.tid, task]));
  const missing = image.threads.find(({ tid }) => !byTid.has(tid));
  if (missing) throw new Error(`Cannot bring thread ${missing.tid} home: it has no deputy`);
  for (const task of tasks) {
    const finishing = task === main ? finishingCalls(image) : [];
    const thread = image.threads.find(({ tid }) => tid === task.tid);
    const registration = thread ? registrationCalls(stub, thread) : [];
    if (finishing.length + registration.length === 0) continue; // it has ended away
    using session = stub.borrow(task);
    session.must('finish the mappings', [...finishing, ...registration], finishing.length);
  }
  // The threads' own masks first: then signals that were under way can be queued without acting on the way.
  for (const thread of image.threads) setThreadContext(byTid.get(thread.tid)!, thread);
  queueReturned(stub, tasks, image.signals);
  setContinueAction(stub, main, image.actions);
  startTimers(stub, main, image.timers);
  // A thread that ended away may still be in the deputy loop: it ends now, by the vDSO's own instruction.
  const instruction = syscallInstruction(stub.view);
  for (const task of tasks) {
    if (image.threads.some((thread) => thread.tid === task.tid)) continue;
    task.setRegisters(task.registers().set('rip', instruction).set('rax', nr.exit).set('rdi', 0).set('orig_rax', -1));
  }
  const couples = image.lodgers.flatMap((lodger): WaitingCouple[] => {
    const child = lodgers.find(({ tid }) => tid === lodger.thread.tid);
    const parent = byTid.get(lodger.waiting);
    // What was under way to it is among the signals of the process, under its id.
    const signals = [...lodger.signals, ...image.signals.filter(({ tid }) => tid === lodger.thread.tid)];
    if (child) restoreLodger(stub, child, { ...lodger, signals }, instruction);
    return child && parent ? [{ parent, child }] : [];
  });
  if (tasks.length === 1) dropUnheard(stub, main);
  stub.remove(main, instruction);
  const free = tasks.filter((task) => !couples.some(({ parent }) => parent === task));
  for (const task of free) {
    goOnAsBefore(loop, stub.pid, task, image);
    letGo(loop, task, image);
  }
  stub.release();
  return couples;
}

function letGo(loop: Loop, task: StoppedTask, image: ProcessImage): void {
  const written = image.threads.find(({ tid }) => tid === task.tid)?.written;
  if (written) finishWrite(loop, task, written);
  else goBack(task).detach();
}

/** A wait that was cut short goes on for the rest of its time. */
function goOnAsBefore(loop: Loop, pid: number, task: StoppedTask, image: ProcessImage): void {
  const thread = image.threads.find(({ tid }) => tid === task.tid);
  const known = thread && knownWait(thread);
  if (known) goOnAtHome(loop, pid, task, known);
}
