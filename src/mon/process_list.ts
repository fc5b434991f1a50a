/** Processes with where they are, and below them the moves as they happen. */
import { formatBytes, formatCount, formatMilliseconds } from '../lib/format.ts';
import { fitted, type Canvas } from './canvas.ts';
import { drawRow, drawTitles, fittingColumns, widthOf, type TableColumn } from './columns.ts';
import { formatMaybe } from './figures.ts';
import type { Move } from './moves.ts';
import type { ProcessFigures } from './picture.ts';
import { pageOf, rangeOf, shownProcesses } from './selection.ts';
import type { MonitorState } from './state.ts';

const COLUMNS: readonly TableColumn<ProcessFigures>[] = [
  { title: 'PID', width: 8, align: 'right', rank: 0, text: ({ pid }) => String(pid) },
  { title: 'USER', width: 8, align: 'left', rank: 4, text: ({ user }) => user },
  {
    title: 'WHERE',
    width: 10,
    align: 'left',
    rank: 0,
    text: ({ where }) => where,
    style: ({ where, home }) => (where === home ? 'plain' : 'info'),
  },
  { title: 'HOME', width: 10, align: 'left', rank: 6, text: ({ home }) => home },
  { title: 'JOB', width: 10, align: 'left', rank: 7, text: ({ job }) => job ?? '' },
  { title: 'THR', width: 4, align: 'right', rank: 9, text: ({ threads }) => (threads > 0 ? String(threads) : '') },
  { title: 'MEM', width: 7, align: 'right', rank: 2, text: ({ memoryBytes }) => formatBytes(memoryBytes) },
  { title: 'CPU', width: 11, align: 'right', rank: 1, text: ({ cpuMs }) => formatMaybe(cpuMs, formatMilliseconds) },
  { title: 'MOVES', width: 5, align: 'right', rank: 5, text: ({ moves }) => String(moves) },
  { title: 'CALLS/S', width: 7, align: 'right', rank: 3, text: ({ callsPerSecond }) => formatCount(callsPerSecond) },
  {
    title: 'STATE',
    width: 9,
    align: 'left',
    rank: 1,
    text: ({ state }) => state,
    style: ({ state }) => (state.endsWith('ing') ? 'warn' : 'plain'),
  },
  { title: 'PROGRAM', width: 15, align: 'left', rank: 0, text: ({ comm }) => comm },
];

/** @returns which part of the programs is shown, if not all are */
export function drawProcessList(canvas: Canvas, state: MonitorState, area: { top: number; bottom: number }): string {
  const processes = shownProcesses(state);
  const columns = fittingColumns(COLUMNS, canvas.columns);
  const room = canvas.columns - widthOf(columns) - 1;
  drawTitles(canvas, area.top, columns);
  const selected = processes.findIndex(({ key }) => key === state.process);
  const { first, shown } = pageOf(processes, selected, area.bottom - area.top - 1);
  if (processes.length === 0) canvas.put(area.top + 2, 2, 'no programs; start one with: mosrun PROGRAM', 'dim');
  for (const [index, { figures }] of shown.entries()) {
    const row = area.top + 1 + index;
    drawRow(canvas, { row, left: 0 }, columns, figures);
    if (room > 10) canvas.put(row, canvas.columns - room, fitted(figures.reason ?? '', room), 'dim');
    if (first + index === selected) canvas.restyle(row, 0, canvas.columns, 'selected');
  }
  return rangeOf({ first, shown }, processes.length);
}

/** The newest last. @returns how many rows were used */
export function drawMoves(canvas: Canvas, moves: readonly Move[], area: { top: number; bottom: number }): void {
  const rows = area.bottom - area.top;
  for (const [index, move] of moves.slice(-rows).entries())
    canvas.put(
      area.top + index,
      0,
      fitted(`${move.at}  ${move.comm} (${move.pid}): ${move.from} → ${move.to}`, canvas.columns),
      'info',
    );
}
