/** mosix status: this node on one screen. */
import type { CommandLine } from '../lib/arguments.ts';
import { EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import type { CommandClient } from '../wire/command_client.ts';
import type { JobRow, MosdHello, NodeRow } from '../wire/command_protocol.ts';
import type { ProcessList } from '../wire/engine_protocol.ts';
import { status as command } from './commands/node_verbs.ts';
import { withDaemon } from './daemon_client.ts';
import { writeOut } from './output.ts';
import { perform } from './run_command.ts';
import { colour } from './terminal.ts';

interface Status extends MosdHello {
  nodes: NodeRow[];
  away: number;
  guests: number;
  jobs: number;
  processes: number;
}

export const status = (args: readonly string[]): Promise<number> => perform(command, args, showStatus);

async function showStatus(line: CommandLine<typeof command.options>): Promise<number> {
  const found = await withDaemon(ask);
  writeOut(line.flags.has('json') ? jsonLine(found) : describe(found));
  return found.nodes.every(({ state }) => state === 'up') ? EXIT.done : EXIT.failed;
}

async function ask(mosd: CommandClient): Promise<Status> {
  const hello = await mosd.hello();
  const none: ProcessList = { away: [], guests: [], returned: [] };
  const list = hello.engineDown === undefined ? await mosd.list() : none;
  const jobs: JobRow[] = await mosd.jobs();
  return {
    ...hello,
    nodes: await mosd.nodes(),
    away: list.away.length,
    guests: list.guests.length,
    jobs: jobs.length,
    processes: jobs.reduce((sum, { processes }) => sum + processes.length, 0),
  };
}

function describe({ node, pid, version, engineDown, nodes, away, guests, jobs, processes }: Status): string {
  const others = nodes.filter(({ self }) => self !== true);
  const up = others.filter(({ state }) => state === 'up').length;
  const engine = engineDown === undefined ? colour('up', 'green') : colour(`down: ${engineDown}`, 'red');
  const lost = others.filter(({ state }) => state !== 'up');
  return [
    `node ${node}: mosd ${version} (process ${pid}), engine ${engine}`,
    `${up} of ${others.length} other nodes reached`,
    ...lost.map(({ name, state, why }) => `  ${name} is ${colour(state, 'red')}${why === undefined ? '' : `: ${why}`}`),
    `your jobs here: ${jobs}, with ${processes} processes`,
    `programs of this node that are away: ${away}; guests of other nodes: ${guests}`,
    '',
  ].join('\n');
}
