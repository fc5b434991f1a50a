/** The small self-checking programs of test/programs as cases: away and home again while each uses its one feature. */
import { binaryName, buildPrograms } from '../programs/build.ts';
import type { Host } from '../bed/host.ts';
import { commandLine, missingNeeds } from '../programs/native.ts';
import { programs, type Program } from '../programs/programs.ts';
import type { Case } from './case.ts';

/** Where the home node has the binaries; they are built there before the first case. */
const binaryDirectory = '/home/mover/bin';

/** Away at about a quarter of the time and home again at two thirds: the feature is used before, away, and after. */
const leaveAt = 0.25;
const backAt = 0.66;

/** Modes that move often count from five moves: ping-pong makes one every 0.5 to 2 s, chaos as many as a loaded machine allows. */
const longerBy = 5;

/** Enough for a program to do each of its things once: what it prints does not depend on how long it runs. */
const briefSeconds = 0.6;

export async function programCases(): Promise<Case[]> {
  const missing = await missingNeeds();
  return programs.map((program) =>
    caseOf(
      program,
      program.needs.filter((need) => missing.has(need)),
    ),
  );
}

/** Compiles what `cases` run, into the home node's own file system. */
export async function buildFor(home: Host, cases: readonly Case[]): Promise<void> {
  const chosen = programs.filter((program) => cases.some((one) => one.name === program.name));
  await buildPrograms(home.outsidePath(binaryDirectory), chosen);
}

function caseOf(program: Program, lacks: readonly string[]): Case {
  return {
    ...lasting(program, program.seconds, lacks),
    longer: lasting(program, program.secondsWhenMoving ?? program.seconds * longerBy, lacks),
  };
}

function lasting(program: Program, seconds: number, lacks: readonly string[]): Case {
  return {
    ...forSeconds(program, seconds, lacks),
    brief: forSeconds(program, secondsToKnow(program), lacks),
  };
}

/** What is done to it from outside must not come too close together. */
function secondsToKnow({ secondsToKnow: own, seconds, stimuli }: Program): number {
  return own ?? (stimuli.length > 0 ? seconds : briefSeconds);
}

function forSeconds(program: Program, seconds: number, lacks: readonly string[]): Case {
  const { stimuli, ends } = program;
  return {
    name: program.name,
    packages: ['gcc', 'libc6-dev'],
    lacks: lacks.length === 0 ? undefined : `needs ${lacks.join(', ')}`,
    hide: [],
    command: commandLine(program, `${binaryDirectory}/${binaryName(program)}`, seconds),
    env: program.env,
    asRoot: program.needs.includes('root'),
    rootEngine: program.needs.includes('root-engine'),
    stdin: stimuli.some((stimulus) => !('signal' in stimulus)) ? 'pipe' : undefined,
    verify: { file: 'stdout' },
    ends: 'exit' in ends ? `exit ${ends.exit}` : `signal ${ends.signal}`,
    announces: true,
    mayStay: program.mayComeHome,
    slow: program.secondsWhenMoving !== undefined,
    movesAnother: program.moves === 'printed',
    stimuli: stimuli.map((stimulus) => ({ ...stimulus, at: stimulus.at * seconds })),
    schedule: { leave: leaveAt * seconds, back: backAt * seconds },
    modes: program.modes,
    shareAway: 0,
  };
}
