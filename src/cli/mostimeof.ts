/** mostimeof: the CPU time of processes, wherever it was used. */
import { checkValue, type CommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { formatMilliseconds } from '../lib/format.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { layoutTable } from '../lib/table.ts';
import type { CpuUse } from '../wire/command_protocol.ts';
import { mostimeof } from './commands/mostimeof.ts';
import { withDaemon } from './daemon_client.ts';
import { runCommand } from './run_command.ts';
import { writeOut } from './output.ts';
import { outputWidth } from './terminal.ts';

async function main(line: CommandLine<typeof mostimeof.options>): Promise<number> {
  if (line.operands.length === 0) throw new CommandError('of which process? mostimeof PID…', EXIT.usage);
  for (const text of line.operands) checkValue(text, mostimeof.operands[0]);
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

runCommand(mostimeof, main);
