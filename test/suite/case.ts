/**
 * What a case of a suite is: a real command, how to prepare it, and which output must be identical wherever it runs.
 */

/** A mode says where the program runs: see `modes.ts`. */
export type Mode = 'home' | 'remote' | 'moved' | 'ping-pong' | 'chaos';

export const modes: readonly Mode[] = ['home', 'remote', 'moved', 'ping-pong', 'chaos'];

/** What is done to a program from outside, `at` seconds after it is ready. */
export type Stimulus = { readonly at: number } & (
  | { readonly signal: NodeJS.Signals | number }
  | { readonly input: string }
  | { readonly endInput: true }
);

export interface Case {
  readonly name: string;
  /** Debian packages that the case needs on this machine. */
  readonly packages: readonly string[];
  /** Anything else this machine lacks for it; the case is then skipped, with these words. */
  readonly lacks?: string;
  /** Paths taken away from the hosting nodes, so that they really lack the program (its data and user they lack anyway). */
  readonly hide: readonly string[];
  /** Shell script that writes the input, run once in the case's directory at home. */
  readonly prepare?: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Root's rights are part of what it tests. */
  readonly asRoot?: boolean;
  /** Only an engine of root's can move it. */
  readonly rootEngine?: boolean;
  /** A file in the case's directory that becomes stdin, or a pipe for stimuli; /dev/null otherwise. */
  readonly stdin?: { readonly file: string } | 'pipe';
  /** What must be identical: the file, after an optional filter (shell, stdin to stdout). */
  readonly verify: { readonly file: string; readonly filter?: string };
  /** Its status must be this, at home as well: `exit 0` or `signal SIGSEGV`. */
  readonly ends?: string;
  /**
   * It says `ready` on stdout: before, it must not be moved by command; stimuli and schedule count from there.
   * It says nothing on stderr, unless it names another process to move: `migrate: PID`.
   */
  readonly announces?: boolean;
  readonly movesAnother?: boolean;
  /** It is a job of several processes, which move as one, and in chaos each by itself; see `family_moves.ts`. */
  readonly family?: boolean;
  /** What it does may keep it home for a while. */
  readonly mayStay?: boolean;
  /** Where in `command` the launcher goes that places the program; the front if absent. */
  readonly launcherAt?: number;
  /** It must not come home by itself. */
  readonly staysAway?: boolean;
  readonly stimuli?: readonly Stimulus[];
  /** When `moved` migrates: `early` (within the first second, and it stays away), or away and home again, in seconds. */
  readonly schedule: 'early' | { readonly leave: number; readonly back: number };
  /** Those in which it makes sense; all if absent. */
  readonly modes?: readonly Mode[];
  /** At least this share of the CPU time after the first second must be used on other hosts. 0: the moves alone count. */
  readonly shareAway: number;
  /** Each move of it takes long: where it moves often it runs at greater length. */
  readonly slow?: boolean;
  /** The same at greater length, for the modes that move often. */
  readonly longer?: Case;
  /** The same in a moment, with the same output: enough to know what that is. */
  readonly brief?: Case;
}

/** One line of a suite's output; the last line of a run is a `Summary`. Times are in seconds. */
export interface Line {
  readonly suite: string;
  readonly case: string;
  readonly mode: Mode;
  /** `null`: skipped, `why` says what is missing. */
  readonly ok: boolean | null;
  /** It did something else than at home; a case that is not `ok` for another reason was away too little, or broke down. */
  readonly wrong: boolean;
  readonly moves: number;
  /** How often it came home by itself, and for which reasons. */
  readonly comeHome: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly forwarded: number;
  /** CPU time after the first second on all hosts, and the part of it on hosts other than home (see `accounting.ts`). */
  readonly cpu: number;
  readonly cpuAway: number;
  readonly seconds: number;
  readonly secondsHome: number;
  readonly why: string;
}

/** What counts of two tries, which is said: the second, if that went well. */
export function ofTwoTries(first: Line, second: Line): Line {
  if (!second.ok) return second;
  return { ...second, why: `at the second try; the first: ${first.why.replace(/; see \S+$/, '')}` };
}

/** For a case that was not run (null), or could not be. */
export function emptyLine(
  { suite, one, mode }: { suite: string; one: Case; mode: Mode },
  ok: false | null,
  why: string,
): Line {
  const nothing = { moves: 0, comeHome: 0, reasons: {}, forwarded: 0, cpu: 0, cpuAway: 0, seconds: 0, secondsHome: 0 };
  return { suite, case: one.name, mode, ok, wrong: false, ...nothing, why };
}

export interface Summary {
  readonly suite: string;
  readonly seed: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}
