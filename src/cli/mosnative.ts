/**
 * mosnative: becomes an ordinary program of this node, also within a job. Like mosrun it leaves nothing in between, and it
 * never stands in the way: without mosd nothing could move the program anyway.
 */
import { parseCommandLine } from '../lib/arguments.ts';
import { messageOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { helpText } from '../lib/help_text.ts';
import { become } from './become.ts';
import { BlockingClient } from './blocking_client.ts';
import { mosnative } from './commands/mosnative.ts';
import { textWidth, writeError, writeOut } from './output.ts';
import { daemonSocket } from './refusals.ts';

const ANSWER_MS = 10_000;

function main(args: readonly string[]): number {
  const line = parseCommandLine(args, mosnative);
  if (line.flags.has('help')) {
    writeOut(helpText(mosnative, textWidth()));
    return EXIT.done;
  }
  const [program] = line.operands;
  if (program === undefined) throw new CommandError('there is no program to run; see mosnative --help', EXIT.usage);
  // The connection stays open until the exec closes it, as for mosrun.
  const { client, mark } = register();
  const failure = become(line.operands.length, mark);
  client?.request('cancel-run');
  throw new CommandError(`Cannot run ${program}: ${failure.reason}`, failure.exitCode);
}

function register(): { client?: BlockingClient; mark?: string } {
  try {
    const client = new BlockingClient(daemonSocket(), ANSWER_MS);
    const { mark } = Object(client.request('run', { options: { native: true } }));
    return { client, mark: typeof mark === 'string' ? mark : undefined };
  } catch {
    return {};
  }
}

try {
  process.exit(main(process.argv.slice(2)));
} catch (error) {
  writeError(`mosnative: ${messageOf(error)}\n`);
  process.exit(error instanceof CommandError ? error.exitCode : EXIT.failed);
}
