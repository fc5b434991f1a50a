/** Command lines: util.parseArgs with messages that say which option, why, and what was meant. */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

import type { CommandDescription, FlagName, OptionDescriptions, ValueDescription, ValueName } from './command.ts';
import { CommandError, EXIT } from './exit_codes.ts';
import { suggestion } from './suggest.ts';

export interface CommandLine<O extends OptionDescriptions> {
  /** Values of options with a value, by long name; the last one counts. */
  values: { get(name: ValueName<O>): string | undefined };
  /** Flags that were given, by long name. */
  flags: { has(name: FlagName<O>): boolean };
  operands: string[];
  /** Index of the first operand in the arguments; their count if there is none. */
  firstOperand: number;
}

export type CommandLineRules<O extends OptionDescriptions> = Pick<
  CommandDescription<O>,
  'name' | 'options' | 'operands' | 'stopAtOperand'
>;

/** @throws CommandError with exit code 2 */
export function parseCommandLine<O extends OptionDescriptions>(
  args: readonly string[],
  rules: CommandLineRules<O>,
): CommandLine<O> {
  const all: OptionDescriptions = { ...rules.options, help: { text: '' } };
  const own = rules.stopAtOperand ? args.slice(0, firstOperandOf(args, all)) : [...args];
  const values = new Map<string, string>();
  const flags = new Set<string>();
  const operands: string[] = [];
  for (const token of tokensOf(own, all)) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const value = valueOf(token, all);
    if (value === undefined) flags.add(token.name);
    else values.set(token.name, value);
  }
  if (!flags.has('help')) checkOperands(operands, rules);
  return {
    values,
    flags,
    operands: rules.stopAtOperand ? args.slice(own.length) : operands,
    firstOperand: own.length,
  };
}

type Tokens = NonNullable<ReturnType<typeof parseArgs>['tokens']>;
type OptionToken = Extract<Tokens[number], { kind: 'option' }>;

function tokensOf(args: readonly string[], all: OptionDescriptions): Tokens {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, { short, value }] of Object.entries(all)) {
    options[name] = { type: value === undefined ? 'boolean' : 'string' };
    if (short !== undefined) options[name].short = short;
  }
  // Not strict: the built-in messages know neither near names nor the way out.
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function firstOperandOf(args: readonly string[], all: OptionDescriptions): number {
  for (const token of tokensOf(args, all)) {
    if (token.kind === 'option-terminator') return token.index + 1;
    if (token.kind === 'positional') return token.index;
  }
  return args.length;
}

/** @returns undefined for a flag */
function valueOf({ name, rawName, value }: OptionToken, all: OptionDescriptions): string | undefined {
  const description = Object.hasOwn(all, name) ? all[name] : undefined;
  if (description === undefined) throw unknownOption(rawName, all);
  if (description.value === undefined) {
    if (value !== undefined) throw usage(`option ${rawName} takes no value`);
    return undefined;
  }
  if (value === undefined || value === '') throw usage(`option ${rawName} needs a value`);
  checkValue(value, description.value);
  return value;
}

/** @throws CommandError if the value cannot be what is asked for */
export function checkValue(text: string, { kind, words }: ValueDescription): void {
  if (kind === 'pid' && !/^[1-9]\d{0,9}$/.test(text)) throw usage(`"${text}" is not a process id`);
  if (kind === 'number' && !/^\d{1,9}$/.test(text)) throw usage(`"${text}" is not a number`);
  if (words !== undefined && !words.includes(text))
    throw usage(`there is no "${text}"${suggestion(text, words)} (${words.join(', ')})`);
}

function checkOperands<O extends OptionDescriptions>(
  given: readonly string[],
  { name, operands, stopAtOperand }: CommandLineRules<O>,
): void {
  if (stopAtOperand || operands.at(-1)?.many || given.length <= operands.length) return;
  throw usage(`there is nothing to do with "${given[operands.length]}"; see ${name} --help`);
}

function unknownOption(rawName: string, all: OptionDescriptions): CommandError {
  const long = Object.keys(all).map((name) => `--${name}`);
  return usage(`there is no option ${rawName}${rawName.startsWith('--') ? suggestion(rawName, long) : ''}`);
}

function usage(message: string): CommandError {
  return new CommandError(message, EXIT.usage);
}
