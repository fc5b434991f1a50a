/** How the commands but mosrun begin and end: messages go to standard error under the command's name. */
import { messageOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { writeError } from './terminal.ts';

/** @param main Gives the exit code. */
export function runCommand(name: string, main: (args: readonly string[]) => Promise<number>): void {
  main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error: unknown) => {
      writeError(`${name}: ${messageOf(error)}\n`);
      process.exit(error instanceof CommandError ? error.exitCode : EXIT.failed);
    },
  );
}
