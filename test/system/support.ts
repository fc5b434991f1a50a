/** What the system tests share: a program whose every step can be checked, and looks at processes from outside. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../bed/cluster.ts';
import type { Host } from '../bed/host.ts';
import type { HostProcess } from '../bed/host_process.ts';
import { until } from '../bed/wait.ts';

/** Milliseconds for what takes one or two seconds on a machine of its own. */
export const PATIENCE_MS = 60_000;
const PROJECT = join(import.meta.dirname, '..', '..');

/** Path of a command, for Host.run and Host.spawn. */
export function command(name: string): string {
  return join(PROJECT, 'bin', name);
}

const STEPS_PER_ROUND = 5000;
/**
 * Counts rounds of a linear congruential generator, writes each round's number and value to a file, and ends with
 * exit code 7 when the file to finish at is there. Megabytes of memory, each filled with a word of its own and summed at
 * the end, show that all is as it was.
 */
const COUNTER = `
  my $limit = pack 'QQ', 8 << 30, 16 << 30;
  syscall 160, $_, $limit for 2, 9; # setrlimit of RLIMIT_DATA, RLIMIT_AS
  $SIG{TRAP} = 'IGNORE';
  my ($file, $finish, $megabytes) = @ARGV;
  my ($h, $n) = (1, 0);
  my $memory = '';
  vec($memory, ($megabytes << 20) - 1, 8) = 0;
  substr($memory, $_ << 20, 1 << 20) = pack('N', ($_ + 1) * 2654435761 & 0xffffffff) x (1 << 18) for 0 .. $megabytes - 1;
  open my $out, '>>', $file or die;
  until (-e $finish) {
    $h = ($h * 1103515245 + 12345) & 0x7fffffff for 1 .. ${STEPS_PER_ROUND};
    syswrite $out, ++$n . " $h\\n";
    select undef, undef, undef, 0.01;
  }
  my $sum = 0;
  $sum = ($sum * 31 + unpack '%32N*', substr $memory, $_ << 20, 1 << 20) & 0xffffffff for 0 .. $megabytes - 1;
  print "$n $h $sum\\n";
  exit 7;
`;

let counters = 0;

export interface CounterOptions {
  /** of mosrun */
  flags?: readonly string[];
  /** of memory; default 4 */
  megabytes?: number;
}

/** A running COUNTER on the home node, started by mosrun. */
export class Counter {
  readonly process: HostProcess;
  readonly #host: Host;
  readonly #file: string;
  readonly #megabytes: number;
  #checked = { lines: 0, value: 1, bytes: 0 };

  private constructor(process: HostProcess, host: Host, own: { file: string; megabytes: number }) {
    this.process = process;
    this.#host = host;
    this.#file = own.file;
    this.#megabytes = own.megabytes;
  }

  /** Settles when it counts. */
  static async start(cluster: Cluster, options: CounterOptions = {}): Promise<Counter> {
    const { megabytes = 4, ...rest } = options;
    counters += 1;
    const file = `/tmp/counter-${counters}`;
    const process = cluster.mosrun(['perl', '-e', COUNTER, file, `${file}.finish`, String(megabytes)], rest);
    const counter = new Counter(process, cluster.home, { file, megabytes });
    await counter.goesOn();
    return counter;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Checks all that it has written so far. @returns the number of rounds */
  rounds(): number {
    const text = readIfThere(this.#host.outsidePath(this.#file)).slice(this.#checked.bytes);
    for (const line of text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .slice(0, -1)) {
      let { value } = this.#checked;
      for (let i = 0; i < STEPS_PER_ROUND; i += 1) value = (Math.imul(value, 1103515245) + 12345) & 0x7fffffff;
      const lines = this.#checked.lines + 1;
      assert.equal(line, `${lines} ${value}`, `what the program wrote in round ${lines}`);
      this.#checked = { lines, value, bytes: this.#checked.bytes + line.length + 1 };
    }
    return this.#checked.lines;
  }

  /** Settles when it has made some more rounds. */
  async goesOn(rounds = 3): Promise<void> {
    const goal = this.rounds() + rounds;
    const look = (): boolean => {
      if (this.rounds() >= goal) return true;
      assert.ok(this.process.running, `process ${this.process.argv[0]} ended: ${this.process.readStderr()}`);
      return false;
    };
    await until(look, { what: `see the program count to ${goal}`, timeoutMs: PATIENCE_MS, everyMs: 10 });
  }

  /** Lets it end, and checks how. */
  async finish(): Promise<void> {
    await this.#host.writeFile(`${this.#file}.finish`, '');
    assert.deepEqual(await this.process.wait(PATIENCE_MS), { code: 7, signal: null }, this.process.readStderr());
    const rounds = this.rounds();
    assert.equal(this.process.readStdout(), `${rounds} ${this.#checked.value} ${sumOfMemory(this.#megabytes)}\n`);
  }
}

/** What COUNTER finds in its memory if nothing has changed there. */
function sumOfMemory(megabytes: number): number {
  let sum = 0;
  for (let i = 1; i <= megabytes; i += 1) sum = (Math.imul(sum, 31) + (Math.imul(i, 2654435761) << 18)) >>> 0;
  return sum;
}

/** What the kernel says of a process of this machine; '' when it is gone. */
export function procFile(outsidePid: number, name: string): string {
  return readIfThere(`/proc/${outsidePid}/${name}`);
}

/** A line of /proc/PID/status, or undefined. */
export function statusField(outsidePid: number, field: string): string | undefined {
  return new RegExp(`^${field}:\\t(.*)$`, 'm').exec(procFile(outsidePid, 'status'))?.[1];
}

/** Whether the engine's pages are mapped in a process: its stub is a memfd named as an ELF file begins. */
export function hasStub(outsidePid: number): boolean {
  return /memfd:\x7fELF/.test(procFile(outsidePid, 'maps').replaceAll('\\177', '\x7f'));
}

/** What of a process must be the same before and after a move that did not take place. */
export function stateOf(outsidePid: number): Readonly<Record<string, string | undefined>> {
  const field = (name: string): string | undefined => statusField(outsidePid, name);
  const maps = procFile(outsidePid, 'maps').replaceAll(/^[0-9a-f-]+ (?=.* \[(heap|stack)\]$)/gm, ''); // they grow
  const [blocked, ignored, caught, descriptors] = ['SigBlk', 'SigIgn', 'SigCgt', 'FDSize'].map(field);
  return { maps, limits: procFile(outsidePid, 'limits'), blocked, ignored, caught, descriptors };
}

/** Settles when nothing of the engine is left in a process that is at home. */
export async function untilUntouched(outsidePid: number): Promise<void> {
  const clean = (): boolean => statusField(outsidePid, 'TracerPid') === '0' && !hasStub(outsidePid);
  await until(clean, { what: `see process ${outsidePid} free of the engine`, timeoutMs: PATIENCE_MS, everyMs: 10 });
  assert.equal(statusField(outsidePid, 'Seccomp'), '0');
  assert.match(statusField(outsidePid, 'State') ?? '', /^[RSD]/);
}

/** Settles when the engine of the home node has logged what matches. */
export async function engineLogged(cluster: Cluster, pattern: RegExp): Promise<string> {
  const look = (): string | undefined => pattern.exec(daemonLog(cluster, 'home', 'engine'))?.[0];
  return until(look, { what: `find ${pattern} in the engine's log`, timeoutMs: PATIENCE_MS, everyMs: 10 });
}

/** All that a daemon of a test cluster has logged. */
export function daemonLog(cluster: Cluster, host: string, daemon: 'mosd' | 'engine'): string {
  if (daemon === 'mosd') return cluster.daemonOutput(cluster.host(host));
  return readIfThere(cluster.host(host).outsidePath('/run/mosix/engine.log'));
}

export function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** mosmigrate must succeed. @returns what it says */
export async function moved(cluster: Cluster, pid: number, to: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.mosmigrate(pid, to, { timeoutMs: 2 * PATIENCE_MS });
  assert.equal(code, 0, `mosmigrate ${pid} ${to}: ${stderr.toString()}`);
  return stdout.toString();
}

/** Bytes of anonymous memory that all processes of a host use, as the memory controller counts it for one of them. */
export function anonymousMemory(outsidePid: number): number {
  const groups = procFile(outsidePid, 'cgroup');
  const first = /^\d+:memory:(.*)$/m.exec(groups)?.[1];
  const directory =
    first === undefined ? `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1]}` : `/sys/fs/cgroup/memory${first}`;
  const bytes = /^(?:total_rss|anon) (\d+)$/m.exec(readIfThere(`${directory}/memory.stat`))?.[1];
  assert.ok(bytes !== undefined, `no memory.stat in ${directory}`);
  return Number(bytes);
}
