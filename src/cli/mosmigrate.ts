/** mosmigrate: moves a running process to another node or back home, started by mosrun or not. */
import { checkValue, type CommandLine } from '../lib/arguments.ts';
import { messageOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { formatBytes, formatMilliseconds } from '../lib/format.ts';
import { jsonLine } from '../lib/json_lines.ts';
import type { CommandClient } from '../wire/command_client.ts';
import type { MigrationProgress, MoveResult } from '../wire/engine_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { mosmigrate } from './commands/mosmigrate.ts';
import { withDaemon } from './daemon_client.ts';
import { asCommandError } from './refusals.ts';
import { runCommand } from './run_command.ts';
import { writeError, writeOut } from './output.ts';
import { colour, ProgressLine } from './terminal.ts';

interface Wishes {
  pid: number;
  to: string | undefined;
  release: boolean;
  wait: boolean;
  json: boolean;
}

type Line = CommandLine<typeof mosmigrate.options>;

async function main(line: Line): Promise<number> {
  const job = line.values.get('job');
  const wishes = job === undefined ? wishesOf(line) : undefined;
  try {
    return await (wishes === undefined ? moveJob(job ?? '', line) : withDaemon((mosd) => perform(mosd, wishes)));
  } catch (error) {
    if (!line.flags.has('json') || isUsage(error)) throw error;
    return reportAsJson({ job, pid: wishes?.pid, to: wishes?.to ?? line.operands[0] }, error);
  }
}

/** What was typed wrong is for the one who typed it. */
function isUsage(error: unknown): boolean {
  return error instanceof CommandError && error.exitCode === EXIT.usage && error.cause === undefined;
}

function wishesOf({ operands, flags }: Line): Wishes {
  const [pidText, to] = operands;
  if (pidText === undefined) throw usage('which process, and where to? mosmigrate PID {NODE|home}');
  checkValue(pidText, mosmigrate.operands[0]);
  if (to === undefined && !flags.has('release'))
    throw usage(`where is process ${pidText} to move? mosmigrate ${pidText} {NODE|home}`);
  if (to !== undefined && flags.has('release') && flags.has('no-wait'))
    throw usage('--release after a move needs to wait for it: leave out --no-wait');
  return {
    pid: Number(pidText),
    to,
    release: flags.has('release'),
    wait: !flags.has('no-wait'),
    json: flags.has('json'),
  };
}

async function moveJob(job: string, { operands, flags }: Line): Promise<number> {
  const [to, ...more] = operands;
  if (to === undefined) throw usage(`where is job ${job} to move? mosmigrate -J ${job} {NODE|home}`);
  if (more.length > 0) throw usage(`there is nothing to do with "${more[0]}"; mosmigrate -J NAME {NODE|home}`);
  if (flags.has('release') || flags.has('no-wait')) throw usage('-J goes with neither --release nor --no-wait');
  const { moved, stayed } = await withDaemon((mosd) => mosd.migrateJob(job, to));
  if (flags.has('json')) writeOut(jsonLine({ ok: stayed.length === 0, job, to, moved, stayed }));
  else {
    const processes = `${moved.length} ${moved.length === 1 ? 'process' : 'processes'}`;
    writeOut(`job ${job}: ${processes} ${to === 'home' ? 'came home' : `moved to ${to}`}\n`);
  }
  for (const { pid, why } of stayed) writeError(`mosmigrate: process ${pid} stays: ${why}\n`);
  return stayed.length === 0 ? EXIT.done : EXIT.failed;
}

async function perform(mosd: CommandClient, wishes: Wishes): Promise<number> {
  const { pid, to, wait, json } = wishes;
  const moved = to === undefined ? undefined : await move(mosd, { pid, to, wait });
  const released = wishes.release ? await mosd.release(pid) : undefined;
  if (json) {
    writeOut(jsonLine({ ok: true, pid, started: wait ? undefined : true, ...moved, releasedBytes: released?.bytes }));
    return EXIT.done;
  }
  if (moved !== undefined) writeOut(`${colour(describeMove(moved, to ?? ''), 'green')}\n`);
  else if (to !== undefined) writeOut(`process ${pid} is on its way to ${to}; see mosps\n`);
  if (released !== undefined) writeOut(`process ${pid}: ${formatBytes(released.bytes)} given back to this node\n`);
  return EXIT.done;
}

async function move(
  mosd: CommandClient,
  request: { pid: number; to: string; wait: boolean },
): Promise<MoveResult | undefined> {
  const { pid, to } = request;
  const begin = performance.now();
  using line = new ProgressLine();
  line.update(`process ${pid} → ${to}`);
  const onInterrupt = (): void => {
    line[Symbol.dispose]();
    writeError(`mosmigrate: the move of process ${pid} goes on; see mosps\n`);
    process.exit(128 + 2);
  };
  process.once('SIGINT', onInterrupt);
  try {
    return await mosd.migrate(request, (progress) =>
      line.update(describeProgress(request, progress, performance.now() - begin)),
    );
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

function describeProgress(
  { pid, to }: { pid: number; to: string },
  progress: MigrationProgress,
  milliseconds: number,
): string {
  const { phase, bytes, total } = progress;
  const amount = total > 0 ? ` ${bar(bytes / total)} ${formatBytes(bytes)} of ${formatBytes(total)}` : '';
  return `process ${pid} → ${to}: ${PHASES[phase] ?? phase}${amount}, ${formatMilliseconds(milliseconds)}`;
}

const PHASES: Readonly<Record<string, string>> = {
  connect: 'asking the node',
  files: 'sending file pages',
  freeze: 'stopping it',
  pages: 'sending memory',
  resume: 'starting it',
};
const BAR_LETTERS = 20;

function bar(part: number): string {
  const full = Math.round(Math.min(Math.max(part, 0), 1) * BAR_LETTERS);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_LETTERS - full)}]`;
}

function describeMove(result: MoveResult, to: string): string {
  const { pid, freezeMs, bytes, totalMs, threads = 1 } = result;
  const what = threads > 1 ? `process ${pid} (${threads} threads)` : `process ${pid}`;
  const where = result.from === undefined ? `moved to ${result.to ?? to}` : `came home from ${result.from}`;
  return `${what} ${where}: stood still for ${formatMilliseconds(freezeMs)}; ${formatBytes(bytes)} in ${formatMilliseconds(totalMs)}`;
}

/** Scripts that read the result want the failure in the same form. */
function reportAsJson(asked: { job?: string; pid?: number; to?: string }, error: unknown): number {
  const failure = asCommandError(error);
  const code = failure.cause instanceof RefusedError ? failure.cause.code : undefined;
  writeOut(jsonLine({ ok: false, ...asked, error: { code: code ?? 'failed', message: failure.message } }));
  writeError(`mosmigrate: ${messageOf(failure)}\n`);
  return failure.exitCode;
}

function usage(message: string): CommandError {
  return new CommandError(message, EXIT.usage);
}

runCommand(mosmigrate, main);
