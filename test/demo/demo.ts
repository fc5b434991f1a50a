/**
 * npm run demo
 *
 * Three machines on this one (see test/bed); real programs start on the first and are moved to the others, home again
 * and away again while they compute. At the end their outputs are compared with native runs, and this machine with
 * what it was before. Exits 0 if all is as it should be, 1 if not, 77 if this machine lacks what it needs.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatBytes, formatMilliseconds } from '../../src/lib/format.ts';
import { Bed } from '../bed/bed.ts';
import { Lab } from '../suite/lab.ts';
import type { Reference } from '../suite/judge.ts';
import { runReference } from '../suite/run_case.ts';
import { findLeftovers, takeFootprint } from './leftovers.ts';
import { presentPrograms } from './programs.ts';
import { Screen } from './screen.ts';
import { Traveller } from './traveller.ts';

/** The demo shows something only if this many programs moved at least twice. */
const programsWanted = 3;
const movesWanted = 2;
const paintEveryMs = 250;
/** Ctrl-C during the start of the test-bed waits for it, but not for ever. */
const stopTimeoutMs = 20_000;

const screen = new Screen();
const interrupted = new AbortController();

interface Result {
  readonly traveller: Traveller;
  readonly reference: Reference;
  readonly status: string;
  readonly digest: string;
}

async function travel(lab: Lab): Promise<boolean> {
  const programs = presentPrograms();
  screen.say('Preparing the input and running each program at home, natively, for comparison …');
  const references = await Promise.all(
    programs.map(async (one) => {
      await lab.prepare(one);
      return runReference(lab, one);
    }),
  );
  screen.say(`Now the same programs, started on "${lab.home.name}" as usual and moved while they compute:\n`);
  const travellers = programs.map((one, index) => new Traveller(lab, one, index, (move) => screen.event(move)));
  const ended = new AbortController();
  const painting = show(lab, travellers, ended.signal);
  const results = await Promise.all(
    travellers.map(async (traveller, index): Promise<Result> => {
      return { traveller, reference: references[index], ...(await traveller.run()) };
    }),
  );
  ended.abort();
  await painting;
  return conclude(results);
}

/** Keeps the table up to date until the programs have ended. */
async function show(lab: Lab, travellers: readonly Traveller[], ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    const { away } = await lab.control.list().catch(() => ({ away: [] }));
    for (const traveller of travellers) traveller.row = away.find((row) => row.pid === traveller.pid);
    screen.paint(travellers);
    await sleep(paintEveryMs, undefined, { signal: ended }).catch(() => {});
  }
  screen.paint(travellers);
}

function conclude(results: readonly Result[]): boolean {
  const rows = results.map(({ traveller, reference, status, digest }) => {
    const freezes = traveller.moves.map((move) => move.freezeMs).toSorted((a, b) => a - b);
    const same = status === reference.status && digest === reference.digest;
    return {
      good: same && traveller.fault === '',
      cells: [
        traveller.one.name,
        same ? 'identical' : `DIFFERENT (${status})`,
        String(freezes.length),
        freezes.length === 0
          ? ''
          : `${formatMilliseconds(freezes[freezes.length >> 1])} (longest ${formatMilliseconds(freezes.at(-1) ?? 0)})`,
        formatBytes(Math.max(0, ...traveller.moves.map((move) => move.bytes))),
        traveller.fault,
      ],
    };
  });
  const titles = ['PROGRAM', 'OUTPUT', 'MOVES', 'FREEZE, MEDIAN', 'LARGEST MOVE', ''];
  screen.say('');
  screen.table(
    titles.map((title) => ({ title, align: 'left' })),
    rows.map(({ cells }) => cells),
  );
  const travelled = results.filter(({ traveller }) => traveller.moves.length >= movesWanted).length;
  if (travelled < programsWanted) {
    screen.say(`\nOnly ${travelled} programs moved at least ${movesWanted} times; ${programsWanted} should have.`);
  }
  return travelled >= programsWanted && rows.every(({ good }) => good);
}

async function main(): Promise<number> {
  const probe = await Bed.probe();
  if (!probe.ok) {
    process.stderr.write(`${probe.help}\n`);
    return 77;
  }
  const before = takeFootprint();
  screen.say('Starting three machines on this one: home, n2, n3. Only home has the user, the programs and their data.');
  let good: boolean;
  {
    await using lab = await Lab.start(presentPrograms());
    good = await Promise.race([travel(lab), stopOrder()]);
  }
  const left = findLeftovers(before);
  screen.say(
    left.length === 0 ? '\nNothing is left on this machine.' : `\nLeft on this machine:\n  ${left.join('\n  ')}`,
  );
  return interrupted.signal.aborted ? 130 : good && left.length === 0 ? 0 : 1;
}

/** Ends the journey on Ctrl-C; the machines are then taken down as after a normal end. */
function stopOrder(): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = (): void => resolve(false);
    if (interrupted.signal.aborted) stop();
    else interrupted.signal.addEventListener('abort', stop);
  });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) return;
    process.stderr.write('\nStopping and cleaning up …\n');
    interrupted.abort();
    setTimeout(() => process.exit(130), stopTimeoutMs).unref();
  });
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
