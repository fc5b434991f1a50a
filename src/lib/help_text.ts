/** `--help`: a command's description as text that fits the terminal. */
import type { CommandDescription, OptionDescriptions, Section } from './command.ts';

/** Longer lines are hard to read, however wide the terminal is. */
const MAX_WIDTH = 100;
const MIN_WIDTH = 40;
/** Of the width. Terms that are longer stand on a line of their own. */
const TERM_PART = 0.3;

type Row = readonly [term: string, meaning: string];

/** @param width Columns of the terminal. */
export function helpText(command: CommandDescription, width: number): string {
  const room = Math.max(MIN_WIDTH, Math.min(width, MAX_WIDTH));
  const { name, usage, about, options, sections = [], examples, exits, seeAlso = [] } = command;
  const shown = usage.map((form, index) => `${index === 0 ? 'Usage: ' : '       '}${name} ${form}`.trimEnd());
  const parts = [
    ...shown.flatMap((form) => wrap(form, { room, indent: ' '.repeat(11) })),
    ...about.flatMap((text) => ['', ...wrap(text, { room })]),
    ...block('Options', optionRows(options), room),
    ...sections.flatMap((section) => ['', `${section.title}:`, ...sectionLines(section, room)]),
    ...exampleLines(examples, room),
    ...block('Exit codes', exits, room),
    ...(seeAlso.length === 0 ? [] : ['', ...wrap(`See also: ${seeAlso.join(', ')}`, { room })]),
  ];
  return `${parts.join('\n')}\n`;
}

/** `-r, --on NODE` and what it does, for each option; `--help` last. */
export function optionRows(options: OptionDescriptions): Row[] {
  const rows = Object.entries(options).map(([name, { short, value, text }]): Row => {
    const shown = short === undefined ? `    --${name}` : `-${short}, --${name}`;
    return [value === undefined ? shown : `${shown} ${value.name}`, text];
  });
  return [...rows, ['    --help', 'this text']];
}

function sectionLines({ body }: Section, room: number): string[] {
  const table = body.filter((one): one is Row => typeof one !== 'string');
  const column = columnOf(table, room);
  return body.flatMap((one) =>
    typeof one === 'string' ? wrap(one, { room, indent: '  ', first: '  ' }) : rowLines(one, column, room),
  );
}

function block(title: string, rows: readonly Row[], room: number): string[] {
  if (rows.length === 0) return [];
  const column = columnOf(rows, room);
  return ['', `${title}:`, ...rows.flatMap((row) => rowLines(row, column, room))];
}

/** A line to type, and below it what it does, unless there is room beside it. */
function exampleLines(examples: readonly Row[], room: number): string[] {
  if (examples.length === 0) return [];
  const column = Math.max(...examples.map(([line]) => line.length)) + 4;
  const beside = examples.every(([, meaning]) => column + meaning.length + 2 <= room);
  const lines = examples.flatMap(([line, meaning]) =>
    beside
      ? [`  ${line.padEnd(column - 2)}# ${meaning}`]
      : [
          ...wrap(meaning, { room, indent: '  # ', first: '  # ' }),
          ...wrap(line, { room, indent: '      ', first: '  ' }),
        ],
  );
  return ['', 'Examples:', ...lines];
}

function columnOf(rows: readonly Row[], room: number): number {
  const short = rows.map(([term]) => term.length).filter((length) => length <= room * TERM_PART);
  return Math.max(0, ...short) + 4;
}

function rowLines([term, meaning]: Row, column: number, room: number): string[] {
  const indent = ' '.repeat(column);
  const fits = term.length + 4 <= column;
  const lines = wrap(meaning, { room, indent, first: fits ? `  ${term}`.padEnd(column) : indent });
  return fits ? lines : [`  ${term}`, ...lines];
}

/** Breaks a text between its words. A word that is longer than a line stays whole. */
export function wrap(
  text: string,
  { room, indent = '', first = '' }: { room: number; indent?: string; first?: string },
): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(/(?<=\S) /)) {
    if (!empty && line.length + 1 + word.length > room) {
      lines.push(line);
      line = indent + word;
    } else line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line].map((one) => one.trimEnd());
}
