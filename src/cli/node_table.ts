/** The table of `mosps --nodes`: who can be reached, what each has to give, and why one cannot be reached. */
import { fittingTable, type Field } from '../lib/fitting_table.ts';
import { formatBytes, formatCount } from '../lib/format.ts';
import type { NodeMeasurement, NodeRow } from '../wire/command_protocol.ts';

const UNKNOWN = '-';

/** Of what a node says of itself; 0 is what it does not know. */
function measured(title: string, rank: number, of: (measured: NodeMeasurement) => string | undefined): Field<NodeRow> {
  const text = (row: NodeRow): string =>
    (row.measured === undefined || row.state !== 'up' ? undefined : of(row.measured)) ?? UNKNOWN;
  return { title, align: 'right', rank, of: text };
}

const FIELDS: readonly Field<NodeRow>[] = [
  { title: 'NODE', align: 'left', rank: 0, of: ({ name }) => name },
  { title: 'ADDRESS', align: 'left', rank: 7, of: ({ address, port }) => `${address} ${port}` },
  { title: 'STATE', align: 'left', rank: 0, of: ({ state, self }) => (self ? `${state} (this)` : state) },
  { title: 'RTT', align: 'right', rank: 8, of: ({ rttMs }) => (rttMs === undefined ? '' : `${rttMs.toFixed(2)} ms`) },
  measured('LOAD', 1, ({ load }) => String(Math.round(load))),
  measured('CPUS', 2, ({ cpus }) => (cpus > 0 ? formatCount(cpus) : undefined)),
  measured('SPEED', 3, ({ speed }) => (speed > 0 ? String(Math.round(speed)) : undefined)),
  measured('UTIL', 4, ({ utilisation }) => `${Math.round(utilisation)} %`),
  measured('FREE MEM', 2, ({ freeMemory, totalMemory }) => (totalMemory > 0 ? formatBytes(freeMemory) : undefined)),
  measured('GUESTS', 3, ({ guests }) => String(guests)),
  measured('AWAY', 5, ({ away }) => String(away)),
  { title: 'STATUS', align: 'left', rank: 6, of: statusOf },
  { title: 'WHY', align: 'left', rank: 0, of: ({ why }) => why ?? '' },
];

/** What the owner has said of it (mosctl). */
function statusOf({ measured: said }: NodeRow): string {
  if (said === undefined) return '';
  const { status } = said;
  const words: [on: boolean, word: string][] = [
    [status.block, 'block'],
    [status.stay, 'stay'],
    [status.lstay, 'lstay'],
    [status.hostingOnly, 'hosting'],
    [status.ownerPresent, 'owner'],
    [status.leaving, 'leaving'],
  ];
  return words.flatMap(([on, word]) => (on ? [word] : [])).join(' ');
}

/** @param width Columns of the terminal; Infinity: everything. @returns the titles, then a line for each node */
export function nodeTable(nodes: readonly NodeRow[], width: number): string[] {
  return fittingTable(FIELDS, nodes, width);
}
