/**
 * One step of the test run: a command with a deadline, in a process group of its own, so that ending it ends all it began.
 *
 * A step that lacks a right or a package says so in its last line and exits 77; that is a skip and not a failure.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Step {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  /** Milliseconds. */
  readonly deadline: number;
  /** Print what the command says while it runs, and not only if it fails. */
  readonly live: boolean;
}

export type StepResult = {
  readonly seconds: number;
  /** Names of what was left out, with the reason. */ readonly skips: readonly string[];
} & (
  | { readonly outcome: 'passed' }
  | { readonly outcome: 'failed'; readonly why: string }
  | { readonly outcome: 'skipped'; readonly why: string }
);

/** Exit status of a command that may not or cannot run here. */
export const cannotRunHere = 77;
/** Time between asking a step to end and ending it. The test-bed takes its hosts down in it. */
const graceMilliseconds = 10_000;

export interface StepOptions {
  readonly cwd: string;
  readonly print: (text: string) => void;
  /** Ends the step early; it then counts as failed. */
  readonly signal?: AbortSignal;
}

/** Never throws: whatever happens to the command is its result. */
export async function runStep(step: Step, options: StepOptions): Promise<StepResult> {
  const begin = performance.now();
  const [command, ...args] = step.argv;
  const child = spawn(command, args, { cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const lines: string[] = [];
  const take = (line: string): void => {
    lines.push(line);
    if (step.live) {
      options.print(`  ${line}`);
    }
  };
  const output = [child.stdout, child.stderr].map((input) => createInterface({ input }).on('line', take));
  const end = await endOf(child, step.deadline, options.signal);
  // What the command left running in its group would hold our pipes, and the machine, for as long as it likes.
  signalGroup(child, 'SIGKILL');
  output.forEach((each) => each.close());
  child.stdout.destroy();
  child.stderr.destroy();
  const result = {
    ...judge(end, lines, step.deadline),
    seconds: (performance.now() - begin) / 1000,
    skips: skipsIn(lines),
  };
  if (result.outcome === 'failed' && !step.live) {
    lines.forEach((line) => options.print(`  ${line}`));
  }
  return result;
}

type End =
  | { readonly how: 'exit'; readonly code: number | null; readonly signal: string | null }
  | { readonly how: 'deadline' | 'interrupted' }
  | { readonly how: 'not started'; readonly detail: string };

async function endOf(child: ChildProcess, deadline: number, signal: AbortSignal | undefined): Promise<End> {
  const { promise, resolve } = Promise.withResolvers<End>();
  let cause: 'deadline' | 'interrupted' | undefined;
  let kill: NodeJS.Timeout | undefined;
  const stop = (why: 'deadline' | 'interrupted'): void => {
    if (cause === undefined) {
      cause = why;
      signalGroup(child, 'SIGTERM');
      kill = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMilliseconds);
    }
  };
  const interrupt = (): void => stop('interrupted');
  const timer = setTimeout(() => stop('deadline'), deadline);
  signal?.addEventListener('abort', interrupt, { once: true });
  child.once('error', (error) => resolve({ how: 'not started', detail: error.message }));
  // `exit` and not `close`: a background process that still holds our pipe must not hold up the run.
  child.once('exit', (code, name) => {
    resolve(cause === undefined ? { how: 'exit', code, signal: name } : { how: cause });
  });
  if (signal?.aborted === true) {
    interrupt();
  }
  const end = await promise;
  clearTimeout(timer);
  clearTimeout(kill);
  signal?.removeEventListener('abort', interrupt);
  // Lines that were written just before the end are still in the pipes: one turn of the event loop brings them in.
  await new Promise((done) => setImmediate(done));
  return end;
}

function judge(
  end: End,
  lines: readonly string[],
  deadline: number,
): { outcome: 'passed' } | { outcome: 'failed' | 'skipped'; why: string } {
  if (end.how !== 'exit') {
    const reasons = { deadline: `not done within ${deadline / 1000} s`, interrupted: 'interrupted' };
    return { outcome: 'failed', why: end.how === 'not started' ? end.detail : reasons[end.how] };
  }
  if (end.code === 0) {
    return { outcome: 'passed' };
  }
  if (end.code === cannotRunHere) {
    return {
      outcome: 'skipped',
      why:
        lines
          .filter((line) => line.trim() !== '')
          .slice(-2)
          .join(' ') || 'it said no reason',
    };
  }
  return { outcome: 'failed', why: end.signal === null ? `exit code ${end.code}` : `ended by ${end.signal}` };
}

/** A skip is told as `skipped: name: reason` or `skip name …`; the reason may stand on the next line, indented. */
function skipsIn(lines: readonly string[]): string[] {
  return lines.flatMap((line, index) => {
    const name = /^skip(?:ped)?:? +(.*)/.exec(line)?.[1];
    const more = /^ {4,}(\S.*)/.exec(lines[index + 1] ?? '')?.[1];
    return name === undefined ? [] : [(more === undefined ? name : `${name}: ${more}`).replaceAll(/ {2,}/g, ' ')];
  });
}

function signalGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (child.pid !== undefined) {
      process.kill(-child.pid, signal);
    }
  } catch {
    // The group is gone already, which is what we want.
  }
}
