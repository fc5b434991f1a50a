/** Manual pages, from the descriptions of the commands: man(7) macros, without a date, so that the same source gives the same page. */
import type { CommandDescription, Section } from '../lib/command.ts';
import { optionRows } from '../lib/help_text.ts';

export interface ManPage {
  /** Such as `mosix-up.1`. */
  file: string;
  /** roff. */
  text: string;
}

/** @param all For the references between the pages. */
export function manPage(
  command: CommandDescription,
  { version, all }: { version: string; all: readonly CommandDescription[] },
): ManPage {
  const { name, summary, usage, about, options, sections = [], examples, exits } = command;
  const page = pageOf(command);
  const lines = [
    `.TH ${quoted(page.name.toUpperCase())} ${page.manual} "" ${quoted(`MOSIX ${version}`)} "MOSIX"`,
    '.SH NAME',
    `${text(page.name)} \\- ${text(summary)}`,
    '.SH SYNOPSIS',
    ...usage.flatMap((form, index) => [...(index === 0 ? [] : ['.br']), `\\fB${text(name)}\\fR ${text(form)}`]),
    '.SH DESCRIPTION',
    ...about.flatMap((paragraph) => ['.PP', text(paragraph)]),
    '.SH OPTIONS',
    ...rows(optionRows(options).map(([term, meaning]) => [term.trim(), meaning])),
    ...sections.flatMap(section),
    '.SH EXAMPLES',
    ...examples.flatMap(([line, meaning]) => ['.TP', `\\fB${text(line)}\\fR`, text(meaning)]),
    '.SH EXIT STATUS',
    ...rows(exits),
    '.SH ENVIRONMENT',
    ...rows([
      ['MOSIX_RUN', 'where the sockets of mosd are; default: those of a node of your own, if it runs, else /run/mosix'],
      ['NO_COLOR', 'if it is set, nothing is coloured'],
    ]),
    ...references(command, all),
  ];
  return { file: `${page.name}.${page.manual}`, text: `${lines.join('\n')}\n` };
}

function pageOf({ name, manual = 1 }: CommandDescription): { name: string; manual: number } {
  return { name: name.replace(' ', '-'), manual };
}

function section({ title, body }: Section): string[] {
  return [
    `.SH ${quoted(title.toUpperCase())}`,
    ...body.flatMap((one) => (typeof one === 'string' ? ['.PP', text(one)] : rows([one]))),
  ];
}

function rows(table: readonly (readonly [term: string, meaning: string])[]): string[] {
  return table.flatMap(([term, meaning]) => ['.TP', `\\fB${text(term)}\\fR`, text(meaning)]);
}

function references({ seeAlso = [] }: CommandDescription, all: readonly CommandDescription[]): string[] {
  const pages = seeAlso.flatMap((name) => all.filter((one) => one.name === name).map(pageOf));
  if (pages.length === 0) return [];
  return ['.SH SEE ALSO', pages.map(({ name, manual }) => `\\fB${text(name)}\\fR(${manual})`).join(', ')];
}

/** Letters that roff would take for its own, and those that it has to be told by name (groff_char(7)). */
function text(plain: string): string {
  const escaped = plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replaceAll('’', '\\(cq')
    .replaceAll('…', '\\&.\\|.\\|.\\&')
    .replaceAll('→', '\\(->')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll("'", '\\(aq');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function quoted(plain: string): string {
  return `"${text(plain)}"`;
}
