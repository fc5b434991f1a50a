/** mosix attach: a debugger traces a process where its memory is, and the process may have but one tracer. */
import { parseCommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { withDaemon } from './daemon_client.ts';
import { writeOut } from './terminal.ts';

const HELP = `Usage: mosix attach [--json] PID

Brings PID home, if it is away, and has it stay there, untraced: then a debugger may attach to it. mosmigrate
sends it away again.

Exit codes: 0 it is home, 1 it could not come, 2 bad usage, 69 no daemon, 77 not your process.
`;

export async function attach(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(args, { options: { json: { type: 'boolean' }, help: { type: 'boolean' } } });
  if (line.flags.has('help')) {
    writeOut(HELP);
    return EXIT.done;
  }
  const [text, ...more] = line.operands;
  if (text === undefined) throw new CommandError('to which process? mosix attach PID', EXIT.usage);
  if (!/^[1-9]\d{0,9}$/.test(text) || more.length > 0)
    throw new CommandError(`"${[text, ...more].join(' ')}" is not a process id`, EXIT.usage);
  const pid = Number(text);
  const { from } = await withDaemon((mosd) => mosd.attach(pid));
  if (line.flags.has('json')) writeOut(jsonLine({ ok: true, pid, from }));
  else {
    const where = from === undefined ? 'is at home' : `came home from ${from}`;
    writeOut(`process ${pid} ${where} and stays here; now for instance: gdb -p ${pid}\n`);
  }
  return EXIT.done;
}
