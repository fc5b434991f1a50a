/** mosps: shows the processes that moved, may move or are guests here, and the nodes. */
import { parseCommandLine, type CommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { layoutTable, type Column } from '../lib/table.ts';
import type { CommandClient } from '../wire/command_client.ts';
import type { MosdList, NodeRow } from '../wire/command_protocol.ts';
import type { CallList, ProcessRow } from '../wire/engine_protocol.ts';
import { withDaemon } from './daemon_client.ts';
import { processTable } from './process_table.ts';
import { runCommand } from './run_command.ts';
import { colour, outputWidth, writeOut, type Colour } from './terminal.ts';
import { userNames } from './user_names.ts';

const HELP = `Usage: mosps [--all] [--guests] [-J NAME] [--json]
       mosps --nodes [--json]
       mosps --calls PID [--json]

Shows your programs that were started by mosrun or that moved: those that are away, those at home, and why the ones
that came back did.

  -a, --all      of all users (root sees all anyway)
  -g, --guests   the guests of other nodes that run here, instead
  -J, --job NAME only jobs of this name (mosrun -J)
  --nodes        the nodes: whether each can be reached, and if not, why
  --calls PID    how often PID asked its home for what, and why it came home
  --json         one JSON object: {node, away, home, returned, guests, nodes}, or what the other options show
  --help         this text

Columns: WHERE it runs, its HOME, its JOB, threads (THR), memory where it runs (MEM), CPU time wherever it ran, MOVES so
far, system calls that its home makes for it in a second (CALLS/S), STATE (home, leaving, away, moving from node to node,
returning, stopped, guest). A narrow terminal shows the most important ones.

Exit codes: 0 done, 1 failed, 2 bad usage, 69 no daemon, 77 not your process (--calls).
`;

async function main(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(args, {
    options: {
      all: { type: 'boolean', short: 'a' },
      guests: { type: 'boolean', short: 'g' },
      job: { type: 'string', short: 'J' },
      nodes: { type: 'boolean' },
      calls: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (line.flags.has('help')) {
    writeOut(HELP);
    return EXIT.done;
  }
  checkUsage(line);
  writeOut(await withDaemon((mosd) => show(mosd, line)));
  return EXIT.done;
}

function checkUsage({ operands, values }: CommandLine): void {
  if (operands.length > 0)
    throw new CommandError(`there is nothing to do with "${operands[0]}"; see mosps --help`, EXIT.usage);
  const pid = values.get('calls');
  if (pid !== undefined && !/^[1-9]\d{0,9}$/.test(pid))
    throw new CommandError(`"${pid}" is not a process id`, EXIT.usage);
}

async function show(mosd: CommandClient, { flags, values }: CommandLine): Promise<string> {
  const json = flags.has('json');
  const calls = values.get('calls');
  if (calls !== undefined) {
    const list = await mosd.calls(Number(calls));
    return json ? jsonLine(list) : callTable(list);
  }
  if (flags.has('nodes')) {
    const nodes = await mosd.nodes();
    return json ? jsonLine(nodes) : nodeTable(nodes);
  }
  const list = filtered(await mosd.list(), { all: flags.has('all'), job: values.get('job') });
  if (json) return jsonLine({ ...withUsers(list), nodes: await mosd.nodes() });
  return flags.has('guests') ? table(list.guests) : table([...list.away, ...list.home, ...list.returned]);
}

/** A user's own processes. Guests belong to users of other nodes, whose ids mean nothing here. */
function filtered(list: MosdList, { all, job }: { all: boolean; job: string | undefined }): MosdList {
  const me = process.getuid?.() ?? 0;
  const mine = (rows: ProcessRow[]): ProcessRow[] =>
    rows.filter((row) => (all || me === 0 || row.uid === me) && (job === undefined || row.job === job));
  return { ...list, away: mine(list.away), home: mine(list.home), returned: mine(list.returned) };
}

function withUsers(list: MosdList): object {
  const name = userNames();
  const named = (rows: ProcessRow[]): object[] => rows.map((row) => ({ ...row, user: name(row.uid) }));
  return {
    ...list,
    away: named(list.away),
    home: named(list.home),
    returned: named(list.returned),
    guests: named(list.guests),
  };
}

const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string): Column => ({ title, align: 'right' });

function table(rows: readonly ProcessRow[]): string {
  return painted(processTable(rows, { width: outputWidth(), userName: userNames() }));
}

const STATE_COLOURS: Readonly<Record<NodeRow['state'], Colour>> = { up: 'green', connecting: 'yellow', down: 'red' };

function nodeTable(nodes: readonly NodeRow[]): string {
  const columns = [left('NODE'), left('ADDRESS'), left('STATE'), right('RTT'), left('WHY')];
  const cells = nodes.map((node) => [
    node.name,
    `${node.address} ${node.port}`,
    node.self ? `${node.state} (this)` : node.state,
    node.rttMs === undefined ? '' : `${node.rttMs.toFixed(2)} ms`,
    node.why ?? '',
  ]);
  return painted(
    layoutTable(columns, cells, outputWidth()),
    nodes.map(({ state }) => STATE_COLOURS[state]),
  );
}

function callTable({ calls, reasons }: CallList): string {
  const rows = calls
    .toSorted((a, b) => b.count - a.count)
    .map(({ name, count, micros }) => [name, String(count), String(micros)]);
  const lines = layoutTable([left('CALL'), right('COUNT'), right('MICROSECONDS')], rows, outputWidth());
  const why = reasons.map(({ reason, count }) => `came home ${count} ${count === 1 ? 'time' : 'times'}: ${reason}`);
  return [...lines, ...why, ''].join('\n');
}

/** The titles in the background, rows as told. */
function painted([titles, ...rows]: string[], colours: readonly Colour[] = []): string {
  const lines = rows.map((row, index) => (colours[index] === undefined ? row : colour(row, colours[index])));
  return [colour(titles, 'dim'), ...lines, ''].join('\n');
}

runCommand('mosps', main);
