/** Command lines: util.parseArgs with messages that say which option, why, and what was meant. */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

import { CommandError, EXIT } from './exit_codes.ts';
import { suggestion } from './suggest.ts';

export interface OptionDescription {
  /** A flag, or an option that takes a value. */
  type: 'boolean' | 'string';
  short?: string;
}

export interface CommandLine {
  /** Values of options with a value, by long name; the last one counts. */
  values: Map<string, string>;
  /** Flags that were given, by long name. */
  flags: Set<string>;
  operands: string[];
  /** Index of the first operand in the arguments; their count if there is none. */
  firstOperand: number;
}

export interface CommandLineRules {
  options: Readonly<Record<string, OptionDescription>>;
  /** The first operand ends the options, as for a command that runs another (`mosrun -h ls -l`). Default: false. */
  stopAtOperand?: boolean;
}

/** @throws CommandError with exit code 2 */
export function parseCommandLine(args: readonly string[], rules: CommandLineRules): CommandLine {
  const result: CommandLine = { values: new Map(), flags: new Set(), operands: [], firstOperand: args.length };
  const own = rules.stopAtOperand ? args.slice(0, firstOperandOf(args, rules)) : [...args];
  result.firstOperand = own.length;
  for (const token of tokensOf(own, rules)) {
    if (token.kind === 'positional') result.operands.push(token.value);
    if (token.kind === 'option') takeOption(token, rules, result);
  }
  if (rules.stopAtOperand) result.operands = args.slice(own.length);
  return result;
}

type Tokens = NonNullable<ReturnType<typeof parseArgs>['tokens']>;
type OptionToken = Extract<Tokens[number], { kind: 'option' }>;

function tokensOf(args: readonly string[], rules: CommandLineRules): Tokens {
  const options: ParseArgsOptionsConfig = { ...rules.options };
  // Not strict: the built-in messages know neither near names nor the way out.
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function firstOperandOf(args: readonly string[], rules: CommandLineRules): number {
  for (const token of tokensOf(args, rules)) {
    if (token.kind === 'option-terminator') return token.index + 1;
    if (token.kind === 'positional') return token.index;
  }
  return args.length;
}

function takeOption(token: OptionToken, rules: CommandLineRules, result: CommandLine): void {
  const description = rules.options[token.name];
  if (description === undefined) throw unknownOption(token.rawName, rules);
  if (description.type === 'boolean') {
    if (token.value !== undefined) throw usage(`option ${token.rawName} takes no value`);
    result.flags.add(token.name);
    return;
  }
  if (token.value === undefined || token.value === '') throw usage(`option ${token.rawName} needs a value`);
  result.values.set(token.name, token.value);
}

function unknownOption(rawName: string, rules: CommandLineRules): CommandError {
  const known = Object.entries(rules.options).flatMap(([name, { short }]) =>
    short ? [`--${name}`, `-${short}`] : [`--${name}`],
  );
  const near = rawName.startsWith('--')
    ? suggestion(
        rawName,
        known.filter((name) => name.startsWith('--')),
      )
    : '';
  return usage(`there is no option ${rawName}${near}`);
}

function usage(message: string): CommandError {
  return new CommandError(message, EXIT.usage);
}
