/**
 * What a command is: its options, operands, examples and exit codes, described once as data. Parsing, `--help`, man pages and
 * completions are made from it, so that they cannot disagree.
 */

/** What a value names; completions offer what there is of it. */
export type ValueKind =
  | 'node'
  /** A node, or `home`. */
  | 'place'
  | 'pid'
  | 'job'
  | 'signal'
  | 'file'
  | 'number'
  /** A program with its arguments; the last operand. */
  | 'program'
  /** One of `words`. */
  | 'word'
  | 'text';

export interface ValueDescription {
  /** As it stands in the usage: `NODE`. */
  name: string;
  kind: ValueKind;
  words?: readonly string[];
}

export interface OptionDescription {
  short?: string;
  /** Absent: it is a flag. */
  value?: ValueDescription;
  /** What it does: no capital letter, no full stop. */
  text: string;
}

export interface OperandDescription extends ValueDescription {
  /** Any number of them; the last one only. */
  many?: boolean;
}

export type OptionDescriptions = Readonly<Record<string, OptionDescription>>;

export interface Section {
  title: string;
  /** A text for each paragraph, or rows of a term and what it means. */
  body: readonly (string | readonly [term: string, meaning: string])[];
}

export interface CommandDescription<O extends OptionDescriptions = OptionDescriptions> {
  /** `mosps`, or `mosix up`. */
  name: string;
  /** What comes after `mosix` for the same; absent: there is no such form. */
  verb?: string;
  /** The command of which this is another name. */
  sameAs?: string;
  /** Of the manual. Default: 1. */
  manual?: 1 | 8;
  /** One line for lists of commands: no capital letter, no full stop. */
  summary: string;
  /** What may stand after the name, one form each. */
  usage: readonly string[];
  /** A paragraph each. */
  about: readonly string[];
  /** By their long names; every command has `--help` besides. */
  options: O;
  operands: readonly OperandDescription[];
  /** The first operand ends the options, as for a command that runs another (`mosrun -h ls -l`). */
  stopAtOperand?: boolean;
  sections?: readonly Section[];
  examples: readonly (readonly [line: string, meaning: string])[];
  exits: readonly (readonly [codes: string, meaning: string])[];
  seeAlso?: readonly string[];
}

/** Long names of the flags among the options. */
export type FlagName<O extends OptionDescriptions> =
  | { [K in keyof O & string]: O[K] extends { value: ValueDescription } ? never : K }[keyof O & string]
  | 'help';
/** Long names of the options that take a value. */
export type ValueName<O extends OptionDescriptions> = {
  [K in keyof O & string]: O[K] extends { value: ValueDescription } ? K : never;
}[keyof O & string];

/** Keeps the names of the options in the type, so that one that does not exist cannot be asked for. */
export function describeCommand<const O extends OptionDescriptions>(
  description: CommandDescription<O>,
): CommandDescription<O> {
  return description;
}
