/**
 * The table of `mosps`, made to fit: on a narrow terminal it leaves out what matters least, and the reasons, which are
 * sentences, go to lines of their own. Nothing is cut but the names of programs.
 */
import { formatBytes, formatCount, formatMilliseconds } from '../lib/format.ts';
import { fittingTable, type Field } from '../lib/fitting_table.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';

/** @param userName Of a user id. */
function fields(userName: (uid: number) => string): Field<ProcessRow>[] {
  return [
    { title: 'PID', align: 'right', rank: 0, of: ({ pid }) => String(pid) },
    { title: 'USER', align: 'left', rank: 6, of: ({ uid }) => userName(uid) },
    { title: 'WHERE', align: 'left', rank: 0, of: ({ where }) => where },
    { title: 'HOME', align: 'left', rank: 7, of: ({ home }) => home },
    { title: 'JOB', align: 'left', rank: 4, of: ({ job }) => job ?? '' },
    { title: 'THR', align: 'right', rank: 8, of: ({ threads }) => (threads > 0 ? String(threads) : '') },
    { title: 'MEM', align: 'right', rank: 3, of: ({ memoryBytes }) => formatBytes(memoryBytes) },
    {
      title: 'CPU',
      align: 'right',
      rank: 2,
      of: ({ cpuMs }) => (cpuMs === undefined ? '' : formatMilliseconds(cpuMs)),
    },
    { title: 'MOVES', align: 'right', rank: 9, of: ({ moves }) => String(moves) },
    { title: 'CALLS/S', align: 'right', rank: 5, of: ({ forwardedPerSecond }) => formatCount(forwardedPerSecond) },
    { title: 'STATE', align: 'left', rank: 1, of: ({ state }) => state },
    { title: 'PROGRAM', align: 'left', rank: 0, of: ({ comm }) => comm },
  ];
}

/** @param width Columns of the terminal; Infinity: one line for each process, with everything. */
export function processTable(
  rows: readonly ProcessRow[],
  { width, userName }: { width: number; userName: (uid: number) => string },
): string[] {
  const ordered = rows.toSorted((a, b) => a.pid - b.pid);
  const all = fields(userName).filter(({ title }) => title !== 'JOB' || rows.some(({ job }) => job !== undefined));
  if (width === Infinity) {
    const why: Field<ProcessRow> = { title: 'WHY', align: 'left', rank: 0, of: ({ reason }) => sentence(reason) };
    return fittingTable([...all, why], ordered, width);
  }
  const [titles, ...table] = fittingTable(all, ordered, width);
  return [titles, ...table.flatMap((line, index) => [line, ...reasonLines(sentence(ordered[index].reason), width)])];
}

const INDENT = '    ';

/** The engine gives the bare name of a call that is made at home only. */
function sentence(reason = ''): string {
  return /^[a-z]+[a-z0-9]*_[a-z0-9_]+$/.test(reason) ? `it called ${reason}` : reason;
}

/** A sentence broken between its words. */
function reasonLines(reason: string, width: number): string[] {
  if (reason === '') return [];
  const room = Math.max(20, width - INDENT.length);
  const out: string[] = [];
  for (const word of reason.split(/\s+/)) {
    const last = out.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= room) out[out.length - 1] = `${last} ${word}`;
    else out.push(word);
  }
  return out.map((line) => INDENT + line.replace(/\p{Cc}/gu, '?'));
}
