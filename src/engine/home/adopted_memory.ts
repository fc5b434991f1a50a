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
import type { StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { passDescriptors } from '../image/restore.ts';
import { fileKey } from '../image/mapping_key.ts';
import { holdMemory, letGoOfMemory, mayUseMapFiles, pathIfAny } from '../image/mapping_source.ts';
import { StaysHome } from '../image/stays_home.ts';
import { freezeProcess } from '../task/freeze.ts';
import type { FrozenTask } from '../task/frozen_task.ts';
import { thaw } from '../task/thaw.ts';
import { withSpareDescriptors } from '../task/spare_descriptors.ts';
import { Stub, type InjectedCall } from '../task/stub.ts';
import type { Loop } from '../link/loop.ts';
import { isUnnamedMemory, sharedMemoryName } from '../image/live_files.ts';
import { mostLiveBytes, otherSharer } from './sole_mapper.ts';

const MFD_CLOEXEC = 1;
const MADV_DONTFORK = 10;
const MADV_DONTDUMP = 16;
const chunk = 1 << 20;

interface Holder {
  readonly pid: number;
  /** One of its threads, which all stand still. */
  readonly task: StoppedTask;
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
    if (mayUseMapFiles()) return adopted;
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
    const holders = [...frozen].map(([pid, [{ task }]]) => lookAt(pid, task));
    const [first] = frozen.keys();
    const keys = [...new Set(holders.flatMap((holder) => holder.mappings.map((m) => fileKey(m, holder.pid))))];
    const stranger = otherSharer(first, { keys, names: [], companions: [...frozen.keys()] });
    if (stranger) throw new StaysHome(first, `it shares memory with process ${stranger.pid} (${stranger.name})`);
    const copies = new Map<string, number>();
    try {
      using stack = new DisposableStack();
      for (const key of keys) copies.set(key, copyOf(first, holders, key));
      // What may fail comes first, in all of them: memory that only some had exchanged would not be shared any more.
      const concerned = holders.filter((holder) => holder.mappings.length > 0);
      const prepared = concerned.map((holder) => stack.use(new PreparedHolder(holder, copies)));
      for (const each of prepared) each.remap();
      for (const { pid, mappings: replaced } of holders) {
        const now = mappings(livingThread(pid) ?? pid);
        for (const old of replaced)
          holdMemory(
            now.find(({ start }) => start === old.start)!,
            copies.get(fileKey(old, pid))!,
          );
      }
      for (const descriptor of copies.values()) this.#descriptors.add(descriptor);
    } catch (error) {
      for (const descriptor of copies.values()) {
        letGoOfMemory(descriptor);
        close(descriptor);
      }
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

function lookAt(pid: number, task: StoppedTask): Holder {
  const found = unnamed(pid);
  const flagged = found.length > 0 ? flaggedMappings(pid) : [];
  return { pid, task, mappings: found, flags: new Map(flagged.map(({ start, flags }) => [start, flags])) };
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
    holder.mappings.filter((m) => fileKey(m, holder.pid) === key).map((mapping) => ({ pid: holder.pid, mapping })),
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

/** A process that has descriptors of the copies, and can be made to map them. */
class PreparedHolder implements Disposable {
  readonly #holder: Holder;
  readonly #keys: readonly string[];
  readonly #stub: Stub;
  readonly #passed: readonly number[];

  constructor(holder: Holder, copies: ReadonlyMap<string, number>) {
    const { pid, task } = holder;
    this.#holder = holder;
    this.#keys = [...new Set(holder.mappings.map((m) => fileKey(m, pid)))];
    const open = this.#keys.map((key) => ({ mapDescriptor: copies.get(key)! }));
    this.#stub = withSpareDescriptors(task, () => Stub.install(task, pid));
    try {
      using session = this.#stub.borrow(task);
      this.#passed = withSpareDescriptors(task, () => passDescriptors(this.#stub, session, open));
    } catch (error) {
      this.#removeStub();
      throw error;
    }
  }

  remap(): void {
    const { pid, task, mappings: old, flags } = this.#holder;
    using session = this.#stub.borrow(task);
    const descriptorOf = (m: Mapping): number => this.#passed[this.#keys.indexOf(fileKey(m, pid))];
    session.must(
      'give shared memory a descriptor',
      old.map((m) => mapCall(m, descriptorOf(m))),
    );
    // To lock it may be refused where a limit has been lowered since; the program does not depend on it.
    session.run(old.flatMap((m) => flagCalls(m, flags.get(m.start) ?? new Set())));
  }

  #removeStub(): void {
    this.#stub.remove(this.#holder.task);
    this.#stub.release();
  }

  [Symbol.dispose](): void {
    {
      using session = this.#stub.borrow(this.#holder.task);
      session.run(this.#passed.map((fd) => [nr.close, fd]));
    }
    this.#removeStub();
  }
}

function mapCall(m: Mapping, descriptor: number): InjectedCall {
  const [read, write, execute] = m.permissions;
  const protection =
    (read === 'r' ? PROT_READ : 0) | (write === 'w' ? PROT_WRITE : 0) | (execute === 'x' ? PROT_EXEC : 0);
  return [nr.mmap, m.start, m.end - m.start, protection, MAP_FIXED | MAP_SHARED, descriptor, m.offset];
}

function flagCalls(m: Mapping, flags: ReadonlySet<string>): InjectedCall[] {
  const length = m.end - m.start;
  const calls: InjectedCall[] = [];
  if (flags.has('dc')) calls.push([nr.madvise, m.start, length, MADV_DONTFORK]);
  if (flags.has('dd')) calls.push([nr.madvise, m.start, length, MADV_DONTDUMP]);
  if (flags.has('lo')) calls.push([nr.mlock, m.start, length]);
  return calls;
}
