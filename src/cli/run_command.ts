/** How the commands but mosrun begin and end: help, and messages to standard error under the command's name. */
import { parseCommandLine, type CommandLine } from '../lib/arguments.ts';
import type { CommandDescription, OptionDescriptions } from '../lib/command.ts';
import { messageOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { helpText } from '../lib/help_text.ts';
import { textWidth, writeError, writeOut } from './output.ts';

type Body<O extends OptionDescriptions> = (line: CommandLine<O>, args: readonly string[]) => Promise<number>;

/**
 * Reads the command line and does what it says, or explains it.
 * @param body Gives the exit code.
 * @throws CommandError
 */
export async function perform<O extends OptionDescriptions>(
  command: CommandDescription<O>,
  args: readonly string[],
  body: Body<O>,
): Promise<number> {
  const line = parseCommandLine(args, command);
  if (!line.flags.has('help')) return body(line, args);
  writeOut(helpText(command, textWidth()));
  return EXIT.done;
}

/** The process is this command: it ends with it. */
export function runCommand<O extends OptionDescriptions>(command: CommandDescription<O>, body: Body<O>): void {
  exitWith(command.name, perform(command, process.argv.slice(2), body));
}

/** @param code Of the exit; a failure is said under the command's name. */
export function exitWith(name: string, code: Promise<number>): void {
  code.then(
    (value) => process.exit(value),
    (error: unknown) => {
      writeError(`${name}: ${messageOf(error)}\n`);
      process.exit(error instanceof CommandError ? error.exitCode : EXIT.failed);
    },
  );
}
