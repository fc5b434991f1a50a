/** mosix events: what the balancer did, and what came of it. */
import { checkValue, type CommandLine } from '../lib/arguments.ts';
import { EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import type { DecisionRow } from '../wire/command_protocol.ts';
import { events as command } from './commands/node_verbs.ts';
import { withDaemon } from './daemon_client.ts';
import { eventText } from './decision_text.ts';
import { writeOut } from './output.ts';
import { perform } from './run_command.ts';

export const events = (args: readonly string[]): Promise<number> => perform(command, args, showEvents);

async function showEvents({ operands: [pid], flags }: CommandLine<typeof command.options>): Promise<number> {
  if (pid !== undefined) checkValue(pid, command.operands[0]);
  const show = (rows: readonly DecisionRow[]): void => {
    for (const row of rows)
      if (pid === undefined || row.pid === Number(pid))
        writeOut(flags.has('json') ? jsonLine(row) : `${eventText(row)}\n`);
  };
  return withDaemon(async (mosd) => {
    let { next, events: rows } = await mosd.decisions(undefined, false);
    show(rows);
    while (flags.has('follow')) {
      ({ next, events: rows } = await mosd.decisions(next, true));
      show(rows);
    }
    return EXIT.done;
  });
}
