/** mosix calls: which calls a process has its home make; the same as `mosps --calls`. */
import { checkValue, type CommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { callTable } from './call_table.ts';
import { calls as command } from './commands/node_verbs.ts';
import { withDaemon } from './daemon_client.ts';
import { writeOut } from './output.ts';
import { perform } from './run_command.ts';

export const calls = (args: readonly string[]): Promise<number> => perform(command, args, show);

async function show({ operands: [pid], flags }: CommandLine<typeof command.options>): Promise<number> {
  if (pid === undefined) throw new CommandError('of which process? mosix calls PID', EXIT.usage);
  checkValue(pid, command.operands[0]);
  const list = await withDaemon((mosd) => mosd.calls(Number(pid)));
  writeOut(flags.has('json') ? jsonLine(list) : callTable(list));
  return EXIT.done;
}
