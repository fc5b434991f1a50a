/**
 * Departures that an engine did not finish because it was killed. What one changes in its process before the body runs is
 * noted in a file first; the next engine takes it back. The process has run on meanwhile, and knows nothing of it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { kernel } from '../../sys/kernel.ts';
import { mappings, statFieldsIfAny } from '../../sys/procfs.ts';
import { SIGTRAP, type StoppedTask } from '../../sys/ptrace.ts';
import { peek } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { freezeProcess } from '../task/freeze.ts';
import { thaw } from '../task/thaw.ts';
import type { FrozenTask } from '../task/frozen_task.ts';
import { Intruders } from '../task/intruders.ts';
import type { Loop } from '../link/loop.ts';
import { setMemoryLimits } from '../image/restore.ts';
import { stepCall, syscallInstruction } from '../task/step_call.ts';
import { code, layout } from '../task/stub_layout.ts';

/** Attempts, half a second apart: the engine that was killed may not be gone yet. */
const attempts = 20;

interface Note {
  pid: number;
  /** In clock ticks since boot: another process may have the id by now. */
  startTime: string;
  stubBase: number;
  limits: [string, string][];
}

function startTime(pid: number): string | undefined {
  return statFieldsIfAny(pid)?.(22);
}

export class DepartureNotes {
  readonly #directory: string;

  constructor(runDir: string) {
    this.#directory = path.join(runDir, 'departures');
  }

  #file(pid: number): string {
    return path.join(this.#directory, `${pid}.json`);
  }

  /** Before the first change. */
  write(pid: number, stubBase: number, limits: [string, string][]): void {
    const note: Note = { pid, startTime: startTime(pid) ?? '', stubBase, limits };
    fs.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    fs.writeFileSync(`${this.#file(pid)}.new`, JSON.stringify(note), { mode: 0o600 });
    fs.renameSync(`${this.#file(pid)}.new`, this.#file(pid));
  }

  /** Nothing is to be taken back any more: the process is as it was, or has left. */
  remove(pid: number): void {
    try {
      fs.unlinkSync(this.#file(pid));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }

  all(): Note[] {
    if (!fs.existsSync(this.#directory)) return [];
    const files = fs.readdirSync(this.#directory).filter((name) => name.endsWith('.json'));
    // cast: an engine wrote it whole, since it was renamed into place; nobody else may write there
    return files.map((name) => JSON.parse(fs.readFileSync(path.join(this.#directory, name), 'utf8')) as Note);
  }
}

/** Takes back what the last engine left; each process for itself. */
export async function takeBackUnfinished(
  loop: Loop,
  notes: DepartureNotes,
  log: (event: string, fields: Readonly<Record<string, unknown>>) => void,
): Promise<void> {
  for (const note of notes.all()) {
    const { pid } = note;
    for (let attempt = 1; ; attempt++) {
      try {
        if (startTime(pid) === note.startTime) await takeBack(loop, note);
        log('process.cleaned', { pid });
      } catch (error) {
        if (attempt < attempts) {
          await loop.sleep(500);
          continue;
        }
        log('process.not-cleaned', { pid, reason: String(error) });
      }
      notes.remove(pid);
      break;
    }
  }
}

async function takeBack(loop: Loop, note: Note): Promise<void> {
  const { pid, stubBase, limits } = note;
  let frozen = await freezeProcess(loop, pid);
  try {
    setMemoryLimits(pid, limits);
    const used = frozen.find(({ pendingSignal }) => !pendingSignal) ?? frozen[0];
    removeStub(used.task, stubBase);
    frozen = frozen.map((one) => (one === used ? sendAgain(pid, one) : one));
  } finally {
    thaw(loop, pid, frozen);
  }
}

/** It has left its signal-delivery stop. */
function sendAgain(pid: number, { pendingSignal, ...frozen }: FrozenTask): FrozenTask {
  if (pendingSignal) kernel.call(nr.tgkill, pid, frozen.task.tid, pendingSignal.signal);
  return frozen;
}

/** A name that nobody else gives to a memfd: that of the stub's, see `Stub.install`. */
const stubName = '/memfd:\x7fELF';

/** Step by step, since the stub may be there only in part. */
function removeStub(task: StoppedTask, base: number): void {
  const { tid } = task;
  const maps = mappings(tid);
  const stub = maps.find((m) => m.start === base && m.permissions[3] === 's' && m.inode !== 0);
  const parts = stub ? maps.filter((m) => m.inode === stub.inode && m.device === stub.device) : [];
  const descriptors = fs
    .readdirSync(`/proc/${tid}/fd`)
    .filter((fd) => fs.readlinkSync(`/proc/${tid}/fd/${fd}`, 'latin1').startsWith(stubName));
  if (parts.length === 0 && descriptors.length === 0) return;
  const registers = task.registers();
  const mask = task.signalMask();
  const instruction = syscallInstruction(tid, maps);
  const call = (number: number, ...args: number[]): number => stepCall(task, instruction, number, ...args);
  if (stub) {
    const scratch = base + layout.scratch;
    call(nr.rt_sigaction, SIGTRAP, 0, scratch, 8);
    const handler = Number(Buffer.from(peek(tid, scratch, 8)).readBigUInt64LE());
    if (handler === base + code.escape) call(nr.rt_sigaction, SIGTRAP, base + layout.trapAction, 0, 8);
  }
  for (const { start, end } of parts) call(nr.munmap, start, end - start);
  for (const fd of descriptors) call(nr.close, Number(fd));
  task.setRegisters(registers);
  new Intruders().leave(task, mask);
}
