/** mosbestnode: where a program would be best off now, for scripts that begin it by other means. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { CommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { mosbestnode } from './commands/mosbestnode.ts';
import { withDaemon } from './daemon_client.ts';
import { writeOut } from './output.ts';
import { runCommand } from './run_command.ts';

/** Milliseconds between two questions: nodes tell their load about as often. */
const ASK_MS = 500;

async function main({ flags, values }: CommandLine<typeof mosbestnode.options>): Promise<number> {
  const megabytes = Number(values.get('memory') ?? 0);
  const node = await withDaemon(async (mosd) => {
    for (;;) {
      const { node: best } = await mosd.best(megabytes);
      if (best !== undefined || !flags.has('wait')) return best;
      await sleep(ASK_MS);
    }
  });
  if (node === undefined)
    throw new CommandError(
      `Cannot find a node: none has ${megabytes} MB of free memory; mosbestnode -w waits for one`,
      EXIT.failed,
    );
  writeOut(flags.has('json') ? jsonLine({ node }) : `${node}\n`);
  return EXIT.done;
}

runCommand(mosbestnode, main);
