/** mosix logs: the journals of mosd and of the engine as one, in the order of time. */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { checkValue, type CommandLine } from '../lib/arguments.ts';
import { errnoOf, reasonOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { runDirectory } from '../lib/own_places.ts';
import { withoutControls } from '../lib/table.ts';
import { logs as command } from './commands/node_verbs.ts';
import { writeOut } from './output.ts';
import { perform } from './run_command.ts';

const JOURNALS = ['mosd.log', 'engine.log'];
const DEFAULT_LINES = 50;
const LOOK_MS = 250;

export const logs = (args: readonly string[]): Promise<number> => perform(command, args, showLogs);

async function showLogs(line: CommandLine<typeof command.options>): Promise<number> {
  const [pid] = line.operands;
  if (pid !== undefined) checkValue(pid, command.operands[0]);
  const concerns = (text: string): boolean => pid === undefined || new RegExp(`\\b(pid|parent)=${pid}\\b`).test(text);
  const directory = runDirectory();
  const journals = JOURNALS.map((name) => join(directory, name)).map((path) => ({ path, seen: 0 }));
  const last = Number(line.values.get('lines') ?? DEFAULT_LINES);
  show(last === 0 ? [] : journals.flatMap(read).filter(concerns).toSorted(byTime).slice(-last));
  while (line.flags.has('follow')) {
    await sleep(LOOK_MS);
    show(journals.flatMap(read).filter(concerns).toSorted(byTime));
  }
  return EXIT.done;
}

function show(lines: readonly string[]): void {
  writeOut(lines.map((text) => `${withoutControls(text)}\n`).join(''));
}

/** What has been written since the last look. */
function read(journal: { path: string; seen: number }): string[] {
  let fd: number;
  try {
    fd = openSync(journal.path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && journal.path.endsWith('mosd.log')) return []; // it writes to a terminal
    const code = errnoOf(error) === 'EACCES' ? EXIT.notPermitted : EXIT.failed;
    throw new CommandError(`Cannot read ${journal.path}: ${reasonOf(error)}`, code, { cause: error });
  }
  try {
    const { size } = fstatSync(fd);
    if (size < journal.seen) journal.seen = 0; // begun anew
    if (journal.seen === 0) return whole(journal);
    const bytes = Buffer.alloc(size - journal.seen);
    const got = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, journal.seen)).toString();
    return complete(journal, got);
  } finally {
    closeSync(fd);
  }
}

function whole(journal: { path: string; seen: number }): string[] {
  return complete(journal, readFileSync(journal.path, 'utf8'));
}

/** A line that is not finished yet is read another time. */
function complete(journal: { seen: number }, text: string): string[] {
  const end = text.lastIndexOf('\n') + 1;
  journal.seen += Buffer.byteLength(text.slice(0, end));
  return text.slice(0, end).split('\n').slice(0, -1);
}

/** Lines begin with their time; those that do not belong to the one before, and stay behind it. */
function byTime(a: string, b: string): number {
  const time = (text: string): string => /^\d{4}-\d\d-\d\dT[\d:.]+Z/.exec(text)?.[0] ?? '';
  const [first, second] = [time(a), time(b)];
  return first === '' || second === '' ? 0 : first.localeCompare(second);
}
