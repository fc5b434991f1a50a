/**
 * Starting processes that belong to a bed.
 *
 * Every one of them joins the bed's cgroups before anything else and ends if it cannot; this is what lets the
 * janitor (janitor.sh) find them all, and what charges a host for everything that runs in it.
 */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { createInterface } from 'node:readline';
import { BedError } from './errors.ts';
import { within } from './wait.ts';

export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const JOIN_THEN_RUN = `
ulimit -S -n 1024
while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done
shift
exec "$@"`;

export interface LaunchOptions {
  /** cgroup.procs files to join, the cgroup2 one first */
  cgroups: readonly string[];
  stdio: StdioOptions;
  env?: Record<string, string>;
}

/** Starts `argv` in a session of its own (Ctrl-C must not reach it) and does not keep Node alive for it. */
export function launch(argv: readonly string[], options: LaunchOptions): ChildProcess {
  const child = spawn('/bin/sh', ['-c', JOIN_THEN_RUN, 'mosix-bed', ...options.cgroups, '--', ...argv], {
    detached: true,
    stdio: options.stdio,
    cwd: '/',
    env: options.env ?? { PATH: SYSTEM_PATH },
  });
  child.unref();
  child.on('error', () => {}); // a missing /bin/sh also shows as a missing pid
  return child;
}

/** Runs a short command to its end; its words go into the error. */
export async function execute(
  argv: readonly string[],
  options: { what: string; input?: string; timeoutMs?: number },
): Promise<string> {
  const child = spawn(argv[0], argv.slice(1), { stdio: 'pipe', env: { PATH: SYSTEM_PATH, LC_ALL: 'C' }, cwd: '/' });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {}); // the command may end before it has read everything
  child.stdin.end(options.input ?? '');
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  try {
    const code = await within(ended, options.what, options.timeoutMs ?? 20_000);
    if (code !== 0)
      throw new BedError(options.what, `${argv[0]} ended with ${code}: ${stderr.trim() || stdout.trim()}`);
    return stdout;
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL');
  }
}

/** Reads the lines by which an init reports its progress. */
export class Reports {
  readonly #lines: AsyncIterator<string>;
  readonly #what: string;
  readonly #detail: () => string;

  constructor(child: ChildProcess, what: string, detail: () => string) {
    if (child.stdout === null) throw new BedError(what, 'its output is not a pipe');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#what = what;
    this.#detail = detail;
  }

  /** The rest of the next line, which must begin with `word`. */
  async expect(word: string, timeoutMs = 20_000): Promise<string> {
    const next = await within(this.#lines.next(), this.#what, timeoutMs, this.#detail);
    if (next.done) throw new BedError(this.#what, `it ended early${this.#detail()}`);
    if (!next.value.startsWith(word)) throw new BedError(this.#what, `expected "${word}", got "${next.value}"`);
    return next.value.slice(word.length).trim();
  }
}
