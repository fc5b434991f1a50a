/**
 * Whether a long run leaves the hosts as they were. The judge of what is left is `test/bed/leftovers.sh`, which knows nothing
 * about us: in each host, while its daemons still run, and on this machine when the hosts are gone. What the daemons
 * themselves hold (descriptors, memory, threads) is read from outside.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../bed/host.ts';
import type { Line } from './case.ts';
import { type Lab, projectRoot } from './lab.ts';

const script = join(projectRoot, 'test', 'bed', 'leftovers.sh');
/** Inside of each host; the script itself does not count it. */
const snapshotFile = '/run/leftovers';
/** Seconds in which what is just ending may still be there. */
const patience = 20;
/** The cache of files that guests map, which has a limit of its own (file_cache.ts). */
const cachedFile = '/memfd:mosix-file (deleted)';
/** What the daemons write down about programs that they know; what is in the directory counts. */
const notes = 'file /run/mosix/(jobs[.]json|departures) ';
/** A host sees the version-1 cgroups of the whole machine, on which other beds may be at work. */
const otherBeds = new RegExp(`^left cgroup \\S*/mosix-bed-(?!${process.pid}-)`);
/** Descriptors that a daemon may keep for good: the connections between nodes, another thread of its own. A leak is one for each move. */
const spareDescriptors = 24;
/** What a daemon may grow by, since it has been at work, bytes: more than its heap and its buffers; less than a page for each move. */
const spareMemory = 192 << 20;
/** Two for each of the engine's two workers. */
const mostBlanks = 4;
const quietMs = 1000;
const judgeTimeoutMs = 120_000;

interface Holding {
  readonly descriptors: number;
  readonly memory: number;
}

export class Leaks {
  readonly #lab: Lab;
  readonly #before: ReadonlyMap<string, Holding>;

  private constructor(lab: Lab, before: ReadonlyMap<string, Holding>) {
    this.#lab = lab;
    this.#before = before;
  }

  /** How the hosts are now. */
  static async of(lab: Lab): Promise<Leaks> {
    for (const host of lab.hosts) {
      const { code, text } = await judge(host, ['snapshot', snapshotFile]);
      if (code !== 0) throw new Error(`Cannot take a snapshot of ${host.name}: ${text}`);
    }
    return new Leaks(lab, holdings(lab));
  }

  /** How this machine is now, for when the hosts are gone. */
  static outside(): Outside {
    return new Outside();
  }

  /** One line for what is left in the hosts, one for what the daemons hold. */
  async compare(): Promise<Line[]> {
    const left: string[] = [];
    for (const host of this.#lab.hosts) left.push(...(await leftIn(host)));
    await sleep(quietMs);
    const now = holdings(this.#lab);
    const grown = [...now].flatMap(([name, { descriptors, memory }]) => {
      const before = this.#before.get(name) ?? { descriptors: 0, memory: 0 };
      const out: string[] = [];
      if (descriptors > before.descriptors + spareDescriptors)
        out.push(`${name} holds ${descriptors} descriptors, at the beginning ${before.descriptors}`);
      if (memory > before.memory + spareMemory)
        out.push(`${name} holds ${memory >> 20} MB, at the beginning ${before.memory >> 20} MB`);
      return out;
    });
    const figures = [...now].map(([name, { descriptors, memory }]) => `${name} ${descriptors} fds ${memory >> 20} MB`);
    process.stderr.write(`daemons at the end: ${figures.join(', ')}\n`);
    return [lineOf('left-in-hosts', left), lineOf('daemons-grow', grown)];
  }
}

class Outside {
  readonly #directory = mkdtempSync(join(tmpdir(), 'mosix-leaks-'));

  constructor() {
    spawnSync(script, ['snapshot', this.#file], { stdio: 'inherit' });
  }

  get #file(): string {
    return join(this.#directory, 'before');
  }

  /** Other work may share this machine: only what names our own bed counts. */
  compare(): Line {
    const argv = ['compare', this.#file, '--only', `mosix-bed-${process.pid}-`, '--wait', String(patience)];
    const run = spawnSync(script, argv, { encoding: 'utf8' });
    rmSync(this.#directory, { recursive: true });
    return lineOf('left-outside', run.status === 0 ? [] : [run.stdout + run.stderr]);
  }
}

async function leftIn(host: Host): Promise<string[]> {
  const { code, text } = await judge(host, ['compare', snapshotFile, '--ignore', notes, '--wait', String(patience)]);
  if (code === 0) return [];
  const lines = text.trim().split('\n');
  return withoutStock(lines.filter((line) => !otherBeds.test(line))).map((line) => `${host.name}: ${line}`);
}

/**
 * Drops the processes that an engine keeps ready for the next arrivals (blanks.ts), each with its namespaces and its cgroup,
 * if there are no more of them than it may keep.
 */
function withoutStock(lines: readonly string[]): readonly string[] {
  const blanks = lines.flatMap((line) => {
    const [, pid, cgroup] = /^left process (\d+) .*[(]0::([^)]*)[)] \/tmp\/mosix-blank-/.exec(line) ?? [];
    return pid === undefined || cgroup === undefined ? [] : [{ pid, cgroup }];
  });
  if (blanks.length > mostBlanks) return lines;
  return lines.filter(
    (line) =>
      !blanks.some(
        ({ pid, cgroup }) =>
          line.startsWith(`left process ${pid} `) ||
          (line.startsWith('left namespace ') && line.endsWith(` first seen in /proc/${pid}`)) ||
          (line.startsWith('left cgroup ') && line.trimEnd().endsWith(cgroup)),
      ),
  );
}

/** Runs the script in a host. Not by way of the test-bed: the host may lack what that needs there. */
function judge(host: Host, argv: readonly string[]): Promise<{ code: number; text: string }> {
  const inside = ['--target', String(host.pid1), '--mount', '--pid', '--net', '--ipc', '--uts', '--cgroup'];
  return new Promise((resolve) => {
    execFile('nsenter', [...inside, 'bash', script, ...argv], { timeout: judgeTimeoutMs }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, text: `${stdout}${stderr}` }),
    );
  });
}

function holdings(lab: Lab): Map<string, Holding> {
  const out = new Map<string, Holding>();
  for (const host of lab.hosts) {
    for (const daemon of ['engine', 'mosd']) {
      const pid = readFileSync(host.outsidePath(`/run/mosix/${daemon}.pid`), 'utf8').trim();
      const directory = host.outsidePath(`/proc/${pid}`);
      const resident = Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`${directory}/status`, 'utf8'))?.[1] ?? NaN) * 1024;
      out.set(`${daemon} of ${host.name}`, { descriptors: descriptorsOf(directory), memory: resident });
    }
  }
  return out;
}

function descriptorsOf(directory: string): number {
  return readdirSync(`${directory}/fd`).filter((fd) => {
    try {
      return readlinkSync(`${directory}/fd/${fd}`) !== cachedFile;
    } catch {
      return false; // it has just been closed
    }
  }).length;
}

function lineOf(name: string, faults: readonly string[]): Line {
  const nothing = { moves: 0, comeHome: 0, reasons: {}, forwarded: 0, cpu: 0, cpuAway: 0, seconds: 0, secondsHome: 0 };
  return {
    suite: 'chaos',
    case: name,
    mode: 'chaos',
    ok: faults.length === 0,
    wrong: false,
    ...nothing,
    why: faults.join('; '),
  };
}
