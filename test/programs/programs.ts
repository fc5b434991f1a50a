/**
 * The list of the small test programs: what to build, how to start each, how to disturb it from outside, and
 * how it must end. README.md tells how a runner uses it; common.h tells what the programs promise in return.
 */

export type SignalName =
  | 'SIGABRT' | 'SIGALRM' | 'SIGBUS' | 'SIGCONT' | 'SIGFPE' | 'SIGILL' | 'SIGINT' | 'SIGKILL' | 'SIGPIPE'
  | 'SIGSEGV' | 'SIGSTOP' | 'SIGTERM' | 'SIGTRAP' | 'SIGTSTP' | 'SIGUSR1' | 'SIGUSR2' | 'SIGXCPU';

/** How the program must end: its own exit status, or the signal it must die of. */
export type Ending = { readonly exit: number } | { readonly signal: SignalName };

/**
 * What the runner does to the program from outside. `at` is a share of the run's seconds, counted from the
 * line "ready" (1 = when the program's own loop is about to end), so that short runs are disturbed alike.
 */
export type Stimulus =
  | { readonly at: number; readonly signal: SignalName }
  | { readonly at: number; readonly input: string }
  | { readonly at: number; readonly endInput: true };

/** What the machine must have; where it is missing the case is skipped, naming the need. */
export type Need = 'avx2' | 'avx512f' | 'pku' | 'root';

export interface Program {
  /** Name of the case, unique. */
  readonly name: string;
  /** Source file in this folder. */
  readonly source: string;
  /** Flags for gcc beyond the common ones (build.ts). */
  readonly flags: readonly string[];
  /** Arguments after argument 1, which is the number of seconds. */
  readonly args: readonly string[];
  /** Seconds to give as argument 1: the time in which the runner moves the program. */
  readonly seconds: number;
  readonly ends: Ending;
  /** Soft limits to raise before the start, in bytes, under the names of `ulimit`. */
  readonly limits: { readonly stack?: number };
  /** Variables to add to the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly needs: readonly Need[];
  readonly stimuli: readonly Stimulus[];
  /** It mostly sleeps: CPU time says nothing about where it was. */
  readonly sleeps: boolean;
  /** Whom to move: the started process, or the one named on standard error as "migrate: PID" before "ready". */
  readonly moves: 'started' | 'printed';
  /** It makes a call after its loop that brings a process home for now; until then it can be away. */
  readonly endsAtHome: boolean;
}

type Details = Partial<Omit<Program, 'name' | 'source'>> & { readonly source?: string };

/** A case; what is not said is the usual: source named after it, 2.5 s, exit status 0. */
function program(name: string, details: Details = {}): Program {
  return {
    name,
    source: details.source ?? `${name.replaceAll('-', '_')}.c`,
    flags: details.flags ?? [],
    args: details.args ?? [],
    seconds: details.seconds ?? 2.5,
    ends: details.ends ?? { exit: 0 },
    limits: details.limits ?? {},
    env: details.env ?? {},
    needs: details.needs ?? [],
    stimuli: details.stimuli ?? [],
    sleeps: details.sleeps ?? false,
    moves: details.moves ?? 'started',
    endsAtHome: details.endsAtHome ?? false,
  };
}

const MB = 1024 * 1024;

const memory: readonly Program[] = [
  program('stack-growth', { limits: { stack: 64 * MB } }),
  program('brk'),
  program('reserve'),
  program('jit'),
  program('file-map-private'),
  program('file-map-shared'),
  program('mremap'),
  program('memory-flags-smaps', { source: 'memory_flags.c', args: ['smaps'] }),
  program('memory-flags-fork', { source: 'memory_flags.c', args: ['fork'], endsAtHome: true }),
  program('mlock'),
];

export const programs: readonly Program[] = [...memory];
