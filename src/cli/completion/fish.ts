/** Completion for fish: a `complete` for each option and operand (complete(1) of fish). */
import type { CommandDescription, ValueDescription } from '../../lib/command.ts';
import { inQuotes, LIVE_KINDS, optionsOf, verbsOf } from './shape.ts';

export function fishCompletion(commands: readonly CommandDescription[]): string {
  const verbs = verbsOf(commands);
  const classic = commands.filter(({ name }) => !name.includes(' ') && name !== 'mosix');
  const lines = [
    '# Completion of the MOSIX commands for fish, made by: mosix completion fish',
    '',
    'function __mosix_words # what there is of a kind, with what it is',
    '  set -l words (commandline -opc)',
    "  set -l mosix (string replace -r '[^/]+$' mosix -- $words[1])",
    '  $mosix completion --words $argv[1] 2>/dev/null',
    'end',
    '',
    'function __mosix_verb # whether $argv[1] is the verb of the line',
    '  set -l words (commandline -opc)',
    '  test (count $words) -ge 2; and test "$words[2]" = $argv[1]',
    'end',
    '',
    'function __mosix_no_verb',
    '  test (count (commandline -opc)) -eq 1',
    'end',
    '',
    'complete -c mosix -f',
    ...verbs.map(([verb, { summary }]) => `complete -c mosix -n __mosix_no_verb -a ${verb} -d ${quoted(summary)}`),
    ...verbs.flatMap(([verb, command]) => completes(command, `-c mosix -n '__mosix_verb ${verb}'`)),
    ...classic.flatMap((command) => [
      `complete -c ${command.name}${takesFiles(command) ? '' : ' -f'}`,
      ...completes(command, `-c ${command.name}`),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function takesFiles({ operands }: CommandDescription): boolean {
  return operands.some(({ kind }) => kind === 'file' || kind === 'program');
}

function completes(command: CommandDescription, target: string): string[] {
  const options = optionsOf(command).map(({ name, short, value, text }) => {
    const spelled = short === undefined ? `-l ${name}` : `-s ${short} -l ${name}`;
    return `complete ${target} ${spelled}${value === undefined ? '' : ` ${valueOf(value)}`} -d ${quoted(text)}`;
  });
  // Fish does not count operands: what any of them may be is offered.
  const operands = command.operands.flatMap((one) => {
    const offer = wordsOf(one);
    return offer === undefined ? [] : [`complete ${target} -a ${quoted(offer)}`];
  });
  return [...options, ...operands];
}

/** `-x`: a value, and no file. */
function valueOf(value: ValueDescription): string {
  if (value.kind === 'file') return '-r -F';
  const offer = wordsOf(value);
  return offer === undefined ? '-x' : `-x -a ${quoted(offer)}`;
}

function wordsOf({ kind, words }: ValueDescription): string | undefined {
  if (words !== undefined) return words.join(' ');
  if (LIVE_KINDS.includes(kind)) return `(__mosix_words ${kind})`;
  return kind === 'program' ? '(__fish_complete_subcommand)' : undefined;
}

function quoted(text: string): string {
  return `'${inQuotes(text, "\\'")}'`;
}
