/** mosps: shows the processes that moved, may move or are guests here, and the nodes. */
import type { CommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import type { CommandClient } from '../wire/command_client.ts';
import type { MosdList, NodeRow } from '../wire/command_protocol.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import { callTable } from './call_table.ts';
import { mosps } from './commands/mosps.ts';
import { withDaemon } from './daemon_client.ts';
import { nodeTable } from './node_table.ts';
import { processTable } from './process_table.ts';
import { runCommand } from './run_command.ts';
import { whyText } from './decision_text.ts';
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
  const why = values.get('why');
  if (why !== undefined) {
    const answer = await mosd.why(Number(why));
    return json ? jsonLine(answer) : whyText(answer);
  }
  if (flags.has('nodes')) {
    const nodes = await mosd.nodes();
    if (json) return jsonLine(nodes);
    return painted(
      nodeTable(nodes, outputWidth()),
      nodes.map(({ state }) => STATE_COLOURS[state]),
    );
  }
  const list = filtered(await mosd.list(), { whose: whoseOf(flags), job: values.get('job') });
  if (json) return jsonLine({ ...withUsers(list), nodes: await mosd.nodes() });
  if (flags.has('guests')) return table(list.guests);
  return table([...(flags.has('local') ? [] : list.away), ...list.home, ...list.returned]);
}

/** @returns a user id; undefined for all */
function whoseOf(flags: Line['flags']): number | undefined {
  if (flags.has('all') && flags.has('mine')) throw usage('options --all and --mine exclude each other');
  if (flags.has('local') && flags.has('guests')) throw usage('options --local and --guests exclude each other');
  const me = process.getuid?.() ?? 0;
  return flags.has('all') || (me === 0 && !flags.has('mine')) ? undefined : me;
}

function usage(message: string): CommandError {
  return new CommandError(message, EXIT.usage);
}

/** Guests belong to users of other nodes, whose ids mean nothing here. */
function filtered(list: MosdList, { whose, job }: { whose: number | undefined; job: string | undefined }): MosdList {
  const wanted = (rows: ProcessRow[]): ProcessRow[] =>
    rows.filter((row) => (whose === undefined || row.uid === whose) && (job === undefined || row.job === job));
  return { ...list, away: wanted(list.away), home: wanted(list.home), returned: wanted(list.returned) };
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

function table(rows: readonly ProcessRow[]): string {
  return painted(processTable(rows, { width: outputWidth(), userName: userNames() }));
}

const STATE_COLOURS: Readonly<Record<NodeRow['state'], Colour>> = { up: 'green', connecting: 'yellow', down: 'red' };

/** The titles in the background, rows as told. */
function painted([titles, ...rows]: string[], colours: readonly Colour[] = []): string {
  const lines = rows.map((row, index) => (colours[index] === undefined ? row : colour(row, colours[index])));
  return [colour(titles, 'dim'), ...lines, ''].join('\n');
}

runCommand(mosps, async (line) => {
  writeOut(await withDaemon((mosd) => show(mosd, line)));
  return EXIT.done;
});
