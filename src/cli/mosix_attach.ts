/** mosix attach: a debugger traces a process where its memory is, and the process may have but one tracer. */
import { checkValue, type CommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { attach as command } from './commands/node_verbs.ts';
import { withDaemon } from './daemon_client.ts';
import { writeOut } from './output.ts';
import { perform } from './run_command.ts';

export const attach = (args: readonly string[]): Promise<number> => perform(command, args, bringHome);

async function bringHome(line: CommandLine<typeof command.options>): Promise<number> {
  const [text] = line.operands;
  if (text === undefined) throw new CommandError('to which process? mosix attach PID', EXIT.usage);
  checkValue(text, command.operands[0]);
  const pid = Number(text);
  const { from } = await withDaemon((mosd) => mosd.attach(pid));
  if (line.flags.has('json')) writeOut(jsonLine({ ok: true, pid, from }));
  else {
    const where = from === undefined ? 'is at home' : `came home from ${from}`;
    writeOut(`process ${pid} ${where} and stays here; now for instance: gdb -p ${pid}\n`);
  }
  return EXIT.done;
}
