/** mostimeof: the CPU time of processes, wherever it was used. */
import { parseCommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { formatMilliseconds } from '../lib/format.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { layoutTable } from '../lib/table.ts';
import type { CpuUse } from '../wire/command_protocol.ts';
import { withDaemon } from './daemon_client.ts';
import { runCommand } from './run_command.ts';
import { outputWidth, writeOut } from './terminal.ts';

const HELP = `Usage: mostimeof [--json] PID…

Says how much CPU time processes of this node have used so far, at home and on other nodes. What ps and time show is the
part at home.

  --json   one JSON object for each process: {pid, homeMs, awayMs, totalMs}
  --help   this text

Exit codes: 0 done, 1 no such process, 2 bad usage, 69 no daemon, 77 not your process.
`;

async function main(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(args, { options: { json: { type: 'boolean' }, help: { type: 'boolean' } } });
  if (line.flags.has('help')) {
    writeOut(HELP);
    return EXIT.done;
  }
  if (line.operands.length === 0) throw new CommandError('of which process? mostimeof PID…', EXIT.usage);
  for (const text of line.operands)
    if (!/^[1-9]\d{0,9}$/.test(text)) throw new CommandError(`"${text}" is not a process id`, EXIT.usage);
  const rows = await withDaemon((mosd) =>
    Promise.all(line.operands.map(async (text) => ({ pid: Number(text), ...(await mosd.time(Number(text))) }))),
  );
  writeOut(
    line.flags.has('json') ? rows.map((row) => jsonLine({ ...row, totalMs: total(row) })).join('') : table(rows),
  );
  return EXIT.done;
}

function total({ homeMs, awayMs }: CpuUse): number {
  return homeMs + awayMs;
}

function table(rows: readonly (CpuUse & { pid: number })[]): string {
  const columns = ['PID', 'CPU', 'AT HOME', 'AWAY'].map((title) => ({ title, align: 'right' as const }));
  const cells = rows.map((row) => [
    String(row.pid),
    ...[total(row), row.homeMs, row.awayMs].map((value) => formatMilliseconds(value)),
  ]);
  return [...layoutTable(columns, cells, outputWidth()), ''].join('\n');
}

runCommand('mostimeof', main);
