/** What a run of a suite is to do, from its command line. */
import { parseArgs } from 'node:util';
import type { Host } from '../bed/host.ts';
import { type Case, type Mode, modes } from './case.ts';
import { buildFor, programCases } from './programs.ts';
import { randomFrom, shuffled } from './trip.ts';
import { shellCases } from './shell.ts';
import { workloads } from './workloads.ts';

export class UsageError extends Error {}

export interface Suite {
  cases(): Promise<readonly Case[]>;
  /** What must be at home before any case. */
  furnish(home: Host, cases: readonly Case[]): Promise<void>;
  readonly modes: readonly Mode[];
  /** Cases at a time, unless asked otherwise. Workloads are to have the machine for themselves. */
  readonly lanes: number;
  /** Of how many cases one is chosen, by the seed, for each mode of the short form; 1: all. */
  readonly shortForm: readonly (readonly [mode: Mode, oneOf: number])[];
}

export const suites: Readonly<Record<'workloads' | 'programs' | 'shell', Suite>> = {
  workloads: {
    cases: async () => workloads,
    furnish: async () => {},
    modes: ['remote', 'moved'],
    lanes: 1,
    shortForm: [
      ['remote', 2],
      ['moved', 2],
    ],
  },
  programs: {
    cases: programCases,
    furnish: buildFor,
    modes: ['home', 'remote', 'moved'],
    lanes: 2,
    shortForm: [
      ['home', 1],
      ['remote', 1],
      ['moved', 1],
      ['ping-pong', 6],
      ['chaos', 12],
    ],
  },
  shell: {
    cases: shellCases,
    furnish: async () => {},
    modes: ['remote', 'moved', 'ping-pong', 'chaos'],
    lanes: 2,
    shortForm: [
      ['remote', 1],
      ['moved', 2],
      ['ping-pong', 3],
      ['chaos', 3],
    ],
  },
};

/** One case in one mode. */
export interface Task {
  readonly one: Case;
  readonly mode: Mode;
}

export interface Plan {
  readonly name: string;
  readonly suite: Suite;
  readonly cases: readonly Case[];
  readonly modes: readonly Mode[];
  /** The short form: some modes are for some of the cases only. */
  readonly short: boolean;
  readonly json: boolean;
  /** For CI: what is known to be open is named and left out, and a case that was away too little gets a second try, which is said. */
  readonly gate: boolean;
  /** No process of ours runs as root. */
  readonly rootless: boolean;
  readonly seed: number;
  /** Cases at a time. */
  readonly lanes: number;
}

export interface ChaosPlan {
  /** Cases are started for so long. */
  readonly minutes: number;
  readonly seed: number;
  readonly lanes: number;
  readonly json: boolean;
  /** Leaves out what is known not to hold in mode `chaos`; a case that was away too little gets a second try, which is said. */
  readonly gate: boolean;
  readonly cases: readonly Case[];
}

function isSuite(name: string | undefined): name is keyof typeof suites {
  return name !== undefined && Object.hasOwn(suites, name);
}

export async function readPlan(argv: readonly string[]): Promise<Plan> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      mode: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      seed: { type: 'string' },
      lanes: { type: 'string' },
      gate: { type: 'boolean', default: false },
      short: { type: 'boolean', default: false },
      rootless: { type: 'boolean', default: false },
    },
  });
  const [name] = positionals;
  if (!isSuite(name) || positionals.length !== 1)
    throw new UsageError(`name one suite: ${Object.keys(suites).join(', ')}, chaos`);
  if (values.short && values.mode !== undefined) throw new UsageError('--short says the modes itself');
  const suite = suites[name];
  const inShort = suite.shortForm.map(([mode]) => mode);
  return {
    name,
    suite,
    cases: chosen(await suite.cases(), values.only),
    modes: values.mode?.split(',').map(modeOf) ?? (values.short ? inShort : suite.modes),
    short: values.short,
    json: values.json,
    gate: values.gate,
    rootless: values.rootless,
    seed: seedOf(values.seed),
    lanes: countOf('lanes', values.lanes, suite.lanes),
  };
}

/** More lanes: more at the same time, and each program slower; about two for each CPU. */
const chaosLanes = 4;
const chaosMinutes = 6;

export async function readChaosPlan(argv: readonly string[]): Promise<ChaosPlan> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      lanes: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      gate: { type: 'boolean', default: false },
    },
  });
  const all = (await Promise.all([suites.programs, suites.workloads].map((suite) => suite.cases()))).flat();
  return {
    minutes: countOf('minutes', values.minutes, chaosMinutes),
    seed: seedOf(values.seed),
    lanes: countOf('lanes', values.lanes, chaosLanes),
    json: values.json,
    gate: values.gate,
    cases: chosen(all, values.only).filter((one) => one.modes?.includes('chaos') ?? true),
  };
}

/** All cases, each in all modes; of the short form the part that the seed chooses. */
export function tasksOf({ suite, modes: wanted, short, seed }: Plan, cases: readonly Case[]): Task[] {
  const random = randomFrom(seed);
  const parts = wanted.map((mode) => {
    const oneOf = short ? (suite.shortForm.find(([each]) => each === mode)?.[1] ?? 1) : 1;
    const fitting = cases.filter((one) => one.modes?.includes(mode) ?? true);
    const part = oneOf === 1 ? fitting : shuffled(fitting, random).slice(0, Math.ceil(fitting.length / oneOf));
    return { mode, part: new Set(part) };
  });
  return cases.flatMap((one) =>
    parts.filter(({ part }) => part.has(one)).map(({ mode }): Task => ({ one: ofLength(one, mode), mode })),
  );
}

/** Nothing happens to it at home, and a lot in the modes that move often. */
function ofLength(one: Case, mode: Mode): Case {
  if (mode === 'home') return one.brief ?? one;
  return (mode === 'ping-pong' || mode === 'chaos' ? one.longer : undefined) ?? one;
}

function chosen(all: readonly Case[], only: string | undefined): readonly Case[] {
  const wanted = only?.split(',');
  const unknown = wanted?.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined)
    throw new UsageError(`no case ${unknown}; there are ${all.map((one) => one.name).join(', ')}`);
  return wanted === undefined ? all : all.filter((one) => wanted.includes(one.name));
}

function modeOf(word: string): Mode {
  const mode = modes.find((one) => one === word);
  if (mode === undefined) throw new UsageError(`no mode ${word}; there are ${modes.join(', ')}`);
  return mode;
}

function seedOf(text: string | undefined): number {
  return countOf('seed', text, Date.now() % 1_000_000);
}

function countOf(option: string, text: string | undefined, usual: number): number {
  const value = text === undefined ? usual : Number(text);
  if (!(value >= 0)) throw new UsageError(`--${option} must be a number, not "${text}"`);
  return value;
}
