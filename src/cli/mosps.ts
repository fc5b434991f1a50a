/** mosps: shows the processes that moved, may move or are guests here, and the nodes. */
import type { CommandLine } from '../lib/arguments.ts';
import { EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { layoutTable, type Column } from '../lib/table.ts';
import type { CommandClient } from '../wire/command_client.ts';
import type { MosdList, NodeRow } from '../wire/command_protocol.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import { callTable } from './call_table.ts';
import { mosps } from './commands/mosps.ts';
import { withDaemon } from './daemon_client.ts';
import { processTable } from './process_table.ts';
import { runCommand } from './run_command.ts';
import { writeOut } from './output.ts';
import { colour, outputWidth, type Colour } from './terminal.ts';
import { userNames } from './user_names.ts';

type Line = CommandLine<typeof mosps.options>;

async function show(mosd: CommandClient, { flags, values }: Line): Promise<string> {
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

/** The titles in the background, rows as told. */
function painted([titles, ...rows]: string[], colours: readonly Colour[] = []): string {
  const lines = rows.map((row, index) => (colours[index] === undefined ? row : colour(row, colours[index])));
  return [colour(titles, 'dim'), ...lines, ''].join('\n');
}

runCommand(mosps, async (line) => {
  writeOut(await withDaemon((mosd) => show(mosd, line)));
  return EXIT.done;
});
