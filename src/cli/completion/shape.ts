/** What all three shells need to know of a command, in the form in which scripts ask for it. */
import type { CommandDescription, OptionDescription, ValueDescription } from '../../lib/command.ts';

/** An option as the shells see it. */
export interface OptionShape extends OptionDescription {
  name: string;
}

/** With `--help`, which all have. */
export function optionsOf({ options }: CommandDescription): OptionShape[] {
  const own = Object.entries(options).map(([name, one]): OptionShape => ({ name, ...one }));
  return [...own, { name: 'help', text: 'explain the command' }];
}

/** `-r` and `--on`. */
export function spellings({ name, short }: OptionShape): string[] {
  return short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`];
}

/**
 * What a script is told to offer: the words themselves after `=`, or the name of a kind.
 * Whatever nothing is known of is free text.
 */
export function offerOf({ kind, words }: ValueDescription): string {
  return words === undefined ? kind : `=${words.join(' ')}`;
}

/** Kinds of which `mosix completion --words` knows what there is. */
export const LIVE_KINDS: readonly string[] = ['node', 'place', 'pid', 'job'];

/** Commands by the verb after `mosix`. */
export function verbsOf(commands: readonly CommandDescription[]): [verb: string, command: CommandDescription][] {
  return commands.flatMap((command): [string, CommandDescription][] =>
    command.verb === undefined ? [] : [[command.verb, command]],
  );
}

/** For the inside of '…' in any of the shells. @param quote How a quote is written there. */
export function inQuotes(text: string, quote: string): string {
  return text.replaceAll("'", quote);
}
