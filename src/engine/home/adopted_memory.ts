/**
 * Shared memory that has no name: anonymous, or of a deleted file that nobody holds open. Where the kernel lets us open
 * it again (/proc/PID/map_files) there is nothing to do. Without root it must get a descriptor: a memfd with its content
 * takes its place in all processes that map it, while they stand still. They leave in the next moment. See
 * docs/internals/rootless.md.
 */
import fs from 'node:fs';
import { close } from '../../sys/descriptors.ts';
import { must } from '../../sys/errors.ts';
import { kernel } from '../../sys/kernel.ts';
import { MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE, withCString } from '../../sys/memory.ts';
import { flaggedMappings, livingThread, mappings, type Mapping } from '../../sys/procfs.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { passDescriptors } from '../image/restore.ts';
import { holdMemory, letGoOfMemory, pathIfAny } from '../image/mapping_source.ts';
import { StaysHome } from '../image/stays_home.ts';
import { freezeProcess } from '../task/freeze.ts';
import type { FrozenTask } from '../task/frozen_task.ts';
import { thaw } from '../task/thaw.ts';
import { withSpareDescriptors } from '../task/spare_descriptors.ts';
import { Stub, type InjectedCall } from '../task/stub.ts';
import type { Loop } from '../link/loop.ts';
import { isUnnamedMemory, sharedMemoryName } from '../image/live_files.ts';
import { fileKey, mostLiveBytes, otherSharer } from './sole_mapper.ts';

const MFD_CLOEXEC = 1;
const MADV_DONTFORK = 10;
const MADV_DONTDUMP = 16;
const chunk = 1 << 20;

interface Holder {
  readonly pid: number;
  readonly mappings: readonly Mapping[];
  readonly flags: ReadonlyMap<number, ReadonlySet<string>>;
}

export class AdoptedMemory implements Disposable {
  readonly #descriptors = new Set<number>();

  private constructor() {}

  /**
   * @param pids all that map it; they go on in the end
   * @throws StaysHome when somebody else maps it, or it is too much
   */
  static async of(loop: Loop, pids: readonly number[]): Promise<AdoptedMemory> {
    const adopted = new AdoptedMemory();
    if (!pids.some((pid) => unnamed(pid).length > 0)) return adopted;
    const frozen = new Map<number, FrozenTask[]>();
    try {
      for (const pid of pids) frozen.set(pid, await freezeProcess(loop, pid));
      adopted.#replace(frozen);
    } catch (error) {
      adopted[Symbol.dispose]();
      throw error;
    } finally {
      for (const [pid, tasks] of frozen) thaw(loop, pid, tasks);
    }
    return adopted;
  }

  #replace(frozen: ReadonlyMap<number, FrozenTask[]>): void {
    const holders = [...frozen.keys()].map((pid): Holder => {
      const found = unnamed(pid);
      const flagged = found.length > 0 ? flaggedMappings(pid) : [];
      return { pid, mappings: found, flags: new Map(flagged.map(({ start, flags }) => [start, flags])) };
    });
    const [first] = frozen.keys();
    const keys = [...new Set(holders.flatMap((holder) => holder.mappings.map(fileKey)))];
    const stranger = otherSharer(first, { keys, names: [], companions: [...frozen.keys()] });
    if (stranger) throw new StaysHome(first, `it shares memory with process ${stranger.pid} (${stranger.name})`);
    const copies = new Map(keys.map((key) => [key, copyOf(first, holders, key)]));
    try {
      for (const holder of holders) if (holder.mappings.length > 0) remap(frozen.get(holder.pid)!, holder, copies);
      for (const { pid, mappings: replaced } of holders) {
        const now = mappings(livingThread(pid) ?? pid);
        for (const old of replaced) {
          const descriptor = copies.get(fileKey(old))!;
          this.#descriptors.add(descriptor);
          holdMemory(
            now.find(({ start }) => start === old.start)!,
            descriptor,
          );
        }
      }
    } catch (error) {
      for (const descriptor of copies.values()) close(descriptor);
      throw error;
    }
  }

  /** They have left, or stay: whoever needs the memory from now on has opened it. */
  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors) {
      letGoOfMemory(descriptor);
      close(descriptor);
    }
    this.#descriptors.clear();
  }
}

/** Shared mappings of a process that cannot be opened. */
function unnamed(pid: number): Mapping[] {
  return mappings(livingThread(pid) ?? pid).filter((mapping) => {
    const shared = mapping.permissions[3] === 's' && isUnnamedMemory(mapping.name);
    return shared && pathIfAny(pid, mapping) === undefined;
  });
}

function copyOf(pid: number, holders: readonly Holder[], key: string): number {
  const parts = holders.flatMap((holder) =>
    holder.mappings.filter((m) => fileKey(m) === key).map((mapping) => ({ pid: holder.pid, mapping })),
  );
  const size = Math.max(...parts.map(({ mapping: m }) => m.offset + m.end - m.start));
  if (size > mostLiveBytes) throw new StaysHome(pid, `it shares ${size >> 20} MB of memory, more than can be copied`);
  const descriptor = must(
    withCString(sharedMemoryName, (name) => kernel.call(nr.memfd_create, name, MFD_CLOEXEC)),
    'memfd_create',
  );
  try {
    fs.ftruncateSync(descriptor, size);
    for (const part of parts) copyPart(part, descriptor);
    return descriptor;
  } catch (error) {
    close(descriptor);
    throw error;
  }
}

/** Through /proc/PID/mem, which also reads what the process itself may not. */
function copyPart({ pid, mapping }: { pid: number; mapping: Mapping }, to: number): void {
  const from = fs.openSync(`/proc/${livingThread(pid) ?? pid}/mem`, 'r');
  try {
    const bytes = Buffer.alloc(chunk);
    for (let at = mapping.start; at < mapping.end;) {
      const got = fs.readSync(from, bytes, 0, Math.min(chunk, mapping.end - at), at);
      if (got === 0) break;
      // Pages of zeros need not be there.
      if (bytes.subarray(0, got).some((byte) => byte !== 0))
        fs.writeSync(to, bytes, 0, got, mapping.offset + at - mapping.start);
      at += got;
    }
  } finally {
    fs.closeSync(from);
  }
}

function remap(frozen: readonly FrozenTask[], holder: Holder, copies: ReadonlyMap<string, number>): void {
  const [{ task }] = frozen;
  const stub = withSpareDescriptors(task, () => Stub.install(task, holder.pid));
  try {
    using session = stub.borrow(task);
    const keys = [...new Set(holder.mappings.map(fileKey))];
    const open = keys.map((key) => ({ mapDescriptor: copies.get(key)! }));
    const passed = withSpareDescriptors(task, () => passDescriptors(stub, session, open));
    const calls = holder.mappings.flatMap((mapping): InjectedCall[] => {
      const descriptor = passed[keys.indexOf(fileKey(mapping))];
      return mapCalls(mapping, holder.flags.get(mapping.start) ?? new Set(), descriptor);
    });
    session.must('give shared memory a descriptor', calls);
    session.run(passed.map((fd) => [nr.close, fd]));
  } finally {
    stub.remove(task);
    stub.release();
  }
}

function mapCalls(m: Mapping, flags: ReadonlySet<string>, descriptor: number): InjectedCall[] {
  const [read, write, execute] = m.permissions;
  const protection =
    (read === 'r' ? PROT_READ : 0) | (write === 'w' ? PROT_WRITE : 0) | (execute === 'x' ? PROT_EXEC : 0);
  const length = m.end - m.start;
  const calls: InjectedCall[] = [[nr.mmap, m.start, length, protection, MAP_FIXED | MAP_SHARED, descriptor, m.offset]];
  if (flags.has('dc')) calls.push([nr.madvise, m.start, length, MADV_DONTFORK]);
  if (flags.has('dd')) calls.push([nr.madvise, m.start, length, MADV_DONTDUMP]);
  if (flags.has('lo')) calls.push([nr.mlock, m.start, length]);
  return calls;
}
