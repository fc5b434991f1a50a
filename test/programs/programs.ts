/**
 * The list of the small test programs: what to build, how to start each, how to disturb it from outside, and
 * how it must end. README.md tells how a runner uses it; common.h tells what the programs promise in return.
 */
import type { Mode } from '../suite/case.ts';

export type SignalName =
  | 'SIGABRT'
  | 'SIGALRM'
  | 'SIGBUS'
  | 'SIGCONT'
  | 'SIGFPE'
  | 'SIGILL'
  | 'SIGINT'
  | 'SIGKILL'
  | 'SIGPIPE'
  | 'SIGSEGV'
  | 'SIGSTOP'
  | 'SIGTERM'
  | 'SIGTRAP'
  | 'SIGTSTP'
  | 'SIGUSR1'
  | 'SIGUSR2'
  | 'SIGXCPU';

/** How the program must end: its own exit status, or the signal it must die of. */
export type Ending = { readonly exit: number } | { readonly signal: SignalName };

/**
 * What the runner does to the program from outside. `at` is a share of the run's seconds, counted from the
 * line "ready" (1 = when the program's own loop is about to end), so that short runs are disturbed alike.
 */
export type Stimulus =
  | { readonly at: number; readonly signal: SignalName | number }
  | { readonly at: number; readonly input: string }
  | { readonly at: number; readonly endInput: true };

/**
 * What the machine must have; where it is missing the case is skipped, naming the need.
 * `root`: its own rights are tested; `root-engine`: only an engine of root's can move it.
 */
export type Need = 'avx2' | 'avx512f' | 'pku' | 'root' | 'root-engine' | 'io_uring';

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
  /** The same for modes that move often, if five times `seconds` are too few for them: each move of it takes long. */
  readonly secondsWhenMoving?: number;
  /** Seconds in which it has done each of its things once, where the usual moment does not do. */
  readonly secondsToKnow?: number;
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
  /**
   * Its feature itself may bring a process home (settings of the process, limits, /proc/self): results must be right,
   * but after that it need not be away any more.
   */
  readonly mayComeHome: boolean;
  /** The ways of running it in which what it checks is promised; all if absent. */
  readonly modes?: readonly Mode[];
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
    secondsWhenMoving: details.secondsWhenMoving,
    secondsToKnow: details.secondsToKnow,
    ends: details.ends ?? { exit: 0 },
    limits: details.limits ?? {},
    env: details.env ?? {},
    needs: details.needs ?? [],
    stimuli: details.stimuli ?? [],
    sleeps: details.sleeps ?? false,
    moves: details.moves ?? 'started',
    endsAtHome: details.endsAtHome ?? false,
    mayComeHome: details.mayComeHome ?? false,
    modes: details.modes,
  };
}

const MB = 1024 * 1024;

/** Calls of timeout_long.c, each a case of its own. */
const waitingCalls = [
  'poll',
  'ppoll',
  'select',
  'pselect',
  'epoll_wait',
  'epoll_pwait',
  'epoll_pwait2',
  'nanosleep',
  'clock_nanosleep',
  'clock_nanosleep_absolute',
  'clock_nanosleep_boottime',
  'clock_nanosleep_realtime',
  'sigtimedwait',
  'futex',
  'futex_absolute',
  'sem_timedwait',
  'recv',
  'semtimedop',
] as const;

/** Ways in which death.c ends itself, and the signal each is. */
const deaths: readonly (readonly [way: string, signal: SignalName])[] = [
  ['segv', 'SIGSEGV'],
  ['abort', 'SIGABRT'],
  ['kill', 'SIGKILL'],
  ['term', 'SIGTERM'],
  ['fpe', 'SIGFPE'],
  ['ill', 'SIGILL'],
  ['trap', 'SIGTRAP'],
  ['trap-raised', 'SIGTRAP'],
  ['trap-ignored', 'SIGTRAP'],
  ['trap-blocked', 'SIGTRAP'],
  ['alarm', 'SIGALRM'],
  ['pipe', 'SIGPIPE'],
  ['bus', 'SIGBUS'],
  ['rethrow', 'SIGSEGV'],
];

/** What stops.c's child is doing when it is stopped, or how it comes to be. */
const stopped = [
  'computing',
  'threads',
  'reading',
  'waiting',
  'suspends',
  'itself',
  'long',
  'headless',
  'killed',
  'terminated',
] as const;

const memory: readonly Program[] = [
  program('stack-growth', { limits: { stack: 64 * MB } }),
  program('brk'),
  program('many-mappings', { secondsWhenMoving: 40 }),
  program('reserve'),
  program('jit'),
  program('file-map-private'),
  program('file-map-shared'),
  program('file-map-ended'),
  program('shared-memory', { endsAtHome: true }),
  program('shared-family', { moves: 'started' }),
  // Not remote: what was mapped away, to read it, is a copy that may get old (docs/internals/sharing.md).
  program('shared-reader', { modes: ['home', 'moved', 'ping-pong', 'chaos'] }),
  program('shared-sysv', { needs: ['root-engine'], seconds: 5 }),
  program('shared-sysv-moved', { needs: ['root-engine'], endsAtHome: true }),
  program('shared-sysv-namespaces', { needs: ['root'] }),
  // Whoever attaches a segment calls those home that have it (docs/internals/sharing.md).
  program('shared-sysv-stranger', { needs: ['root-engine'], mayComeHome: true }),
  program('mapping-churn'),
  program('mremap'),
  program('memory-flags-smaps', { source: 'memory_flags.c', args: ['smaps'], endsAtHome: true }),
  program('memory-flags-fork', { source: 'memory_flags.c', args: ['fork'], endsAtHome: true }),
  program('memory-policy'),
  program('mlock'),
  program('limit-memory', { mayComeHome: true }),
  program('fault-memory'),
  program('fault-partial', { mayComeHome: true }),
];

const processor: readonly Program[] = [
  program('vector-sse', { source: 'vector_state.c', flags: ['-DLEVEL=0'] }),
  program('vector-avx2', { source: 'vector_state.c', flags: ['-DLEVEL=1', '-mavx2'], needs: ['avx2'] }),
  program('vector-avx512', { source: 'vector_state.c', flags: ['-DLEVEL=2', '-mavx512f'], needs: ['avx512f'] }),
  program('float-state'),
  program('registers'),
  program('registers-static', { source: 'registers.c', flags: ['-static'] }),
  program('tls'),
  program('tls-static', { source: 'tls.c', flags: ['-static'] }),
  program('rseq'),
  program('rseq-sections'),
  program('fault-instruction'),
];

const time: readonly Program[] = [
  program('clock-vdso'),
  program('time-of-day'),
  // Home again, a process's CPU clocks say what the home kernel has seen, which is less than it used (docs/internals/time.md).
  program('cpu-clock', { modes: ['home', 'remote', 'ping-pong'] }),
  program('timer-interval'),
  program('timer-posix'),
  program('timer-fd'),
  program('timer-cpu'),
  program('timeout-short', { sleeps: true }),
  program('timeout-again', { sleeps: true }),
  ...waitingCalls.map((call) =>
    program(`timeout-${call.replaceAll('_', '-')}`, { source: 'timeout_long.c', args: [call], sleeps: true }),
  ),
  program('sleep-interrupted', { sleeps: true }),
  program('events'),
];

const signals: readonly Program[] = [
  program('signal-self'),
  program('signal-sender'),
  program('signal-restart'),
  program('signal-stack'),
  program('signal-nested'),
  program('signal-pending'),
  program('signal-wait'),
  program('signal-at-wait'),
  ...['ppoll', 'pselect', 'epoll_pwait', 'epoll_pwait2'].map((call) =>
    program(`signal-mask-${call.replaceAll('_', '-')}`, { source: 'signal_mask_wait.c', args: [call] }),
  ),
  program('signal-mask-due'),
  program('signal-mask-race'),
  program('signal-mirrored'),
  program('signal-fd'),
  ...['handled', 'outside', 'ignored', 'blocked'].map((how) =>
    program(`signal-trap-${how}`, { source: 'signal_trap.c', args: [how] }),
  ),
  program('signal-outside', {
    // A real-time signal: others merge where a machine is so busy that two come before the first is handled.
    stimuli: [0.1, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9].map((at) => ({ at, signal: 40 })),
  }),
  program('job-control', { moves: 'printed' }),
  program('terminal-background', { moves: 'printed' }),
  program('stop-self'),
  program('stop-outside', {
    stimuli: [
      { at: 0.1, signal: 'SIGSTOP' },
      { at: 0.15, signal: 'SIGCONT' },
      { at: 0.45, signal: 'SIGTSTP' },
      { at: 0.5, signal: 'SIGCONT' },
      { at: 0.8, signal: 'SIGSTOP' },
      { at: 0.85, signal: 'SIGCONT' },
    ],
  }),
  program('stop-while-waiting', { sleeps: true }),
  ...stopped.map((how) =>
    program(`stops-${how}`, { source: 'stops.c', args: [how], moves: 'printed', secondsToKnow: 2.5 }),
  ),
  program('stop-storm', { moves: 'printed' }),
  program('children'),
];

const threads: readonly Program[] = [
  program('thread-mutex'),
  program('thread-condition'),
  program('thread-barrier'),
  program('thread-rwlock'),
  program('thread-churn'),
  program('thread-relay'),
  program('thread-many', { secondsWhenMoving: 20 }),
  program('thread-limit', { mayComeHome: true }),
  program('thread-exec', { endsAtHome: true }),
  program('thread-cancel'),
  program('thread-signal'),
  program('thread-robust'),
  program('exit-group', { ends: { exit: 9 } }),
  program('main-thread-ends', { args: ['while'] }),
  program('main-thread-ended', { source: 'main_thread_ends.c', args: ['before'] }),
];

const files: readonly Program[] = [
  program('pipe-self'),
  program('pipe-blocked', { sleeps: true }),
  program('write-blocked', { sleeps: true }),
  program('stdin-lines', {
    args: ['7'],
    stimuli: [
      ...[0.05, 0.15, 0.3, 0.45, 0.55, 0.7, 0.9].map((at, i) => ({ at, input: `${i + 1}\n` })),
      { at: 1, endInput: true },
    ],
  }),
  program('fds-3-to-9'),
  program('big-io'),
  program('small-reads'),
  program('file-positions'),
  program('directories'),
  program('stat-family'),
  program('descriptors'),
  program('descriptors-full'),
  program('socket-pair'),
  program('event-fd'),
  program('messages'),
  program('vectors'),
  program('splices'),
  program('locks'),
  program('watch-files'),
  program('watch-opens', { needs: ['root'] }),
  program('attributes'),
  program('epoll-forms'),
  program('rings', { needs: ['io_uring'], mayComeHome: true, endsAtHome: true }),
];

const neighbours: readonly Program[] = [
  program('pidfd'),
  program('semaphores'),
  program('message-queues'),
  program('scheduling', { needs: ['root'] }),
];

const identity: readonly Program[] = [
  program('identity'),
  program('environment', { args: ['two words', ''], env: { PROGRAM_MARK: 'a=b c' } }),
  program('process-name'),
  program('process-settings', { mayComeHome: true }),
  program('proc-self', { mayComeHome: true }),
];

const families: readonly Program[] = [
  program('fork-wait'),
  program('fork-storm'),
  program('fork-many', { secondsWhenMoving: 20 }),
  program('fork-pipes'),
  program('fork-orphan'),
  program('fork-zombies'),
  program('fork-sigchld'),
  program('fork-killed'),
  program('fork-threads'),
  program('fork-groups'),
  program('fork-long'),
  program('fork-exec'),
  program('vfork-exec'),
  program('vfork-long', { mayComeHome: true }),
  program('posix-spawn'),
  program('exec-signal'),
  program('exec-self', { mayComeHome: true }),
];

const endings: readonly Program[] = [
  ...[0, 7, 255].map((status) =>
    program(`exit-${status}`, { source: 'exit_code.c', args: [String(status)], ends: { exit: status } }),
  ),
  ...deaths.map(([way, signal]) => program(`death-${way}`, { source: 'death.c', args: [way], ends: { signal } })),
  program('death-of-sigterm', {
    source: 'death.c',
    args: ['waits-sleeping'],
    ends: { signal: 'SIGTERM' },
    stimuli: [{ at: 1, signal: 'SIGTERM' }],
    sleeps: true,
  }),
  program('death-of-sigusr1', {
    source: 'death.c',
    args: ['waits-computing'],
    ends: { signal: 'SIGUSR1' },
    stimuli: [{ at: 1, signal: 'SIGUSR1' }],
  }),
  program('death-of-sigkill', {
    source: 'death.c',
    args: ['waits-computing'],
    ends: { signal: 'SIGKILL' },
    stimuli: [{ at: 1, signal: 'SIGKILL' }],
  }),
];

export const programs: readonly Program[] = [
  ...memory,
  ...processor,
  ...time,
  ...signals,
  ...threads,
  ...files,
  ...neighbours,
  ...identity,
  ...families,
  ...endings,
];
