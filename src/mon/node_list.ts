/** Nodes one below the other: a bar of the chosen figure, and the other figures as numbers. */
import { formatBytes, formatCount, formatMilliseconds } from '../lib/format.ts';
import { fitted, type Canvas } from './canvas.ts';
import { drawRow, drawTitles, fittingColumns, widthOf, type TableColumn } from './columns.ts';
import { FIGURES, formatMaybe, formatUptime, formatUse, scaleEnd } from './figures.ts';
import { isAlive, type NodeFigures } from './picture.ts';
import { pageOf, rangeOf, shownNodes } from './selection.ts';
import type { MonitorState } from './state.ts';

const MIN_BAR = 10;
const MAX_BAR = 40;

/**
 * @param area `bottom` is the row after the last.
 * @returns which part of the nodes is shown, if not all are
 */
export function drawNodeList(canvas: Canvas, state: MonitorState, area: { top: number; bottom: number }): string {
  const nodes = shownNodes(state);
  const nameWidth = Math.min(24, Math.max(4, ...nodes.map(({ name }) => name.length)));
  const columns = fittingColumns(columnsOf(state, nameWidth), canvas.columns - MIN_BAR - 1);
  const bar = Math.min(MAX_BAR, canvas.columns - widthOf(columns) - 1);
  const [nameColumn, ...others] = columns;
  const figure = FIGURES[state.figure];
  const end = scaleEnd(Math.max(0, ...nodes.map((node) => figure.of(node, state.yardstick) ?? 0)), figure);
  const barAt = nameWidth + 1;
  const rest = barAt + bar + 1;
  drawTitles(canvas, area.top, [nameColumn]);
  canvas.put(area.top, barAt, fitted(state.figure.toUpperCase(), bar), 'bold');
  canvas.putRight(area.top, barAt + bar, figure.write(end), 'dim');
  drawTitles(canvas, area.top, others, rest);
  const selected = nodes.findIndex(({ name }) => name === state.node);
  const page = pageOf(nodes, selected, area.bottom - area.top - 1);
  for (const [index, node] of page.shown.entries()) {
    const row = area.top + 1 + index;
    drawRow(canvas, { row, left: 0 }, [nameColumn], node);
    const value = figure.of(node, state.yardstick);
    if (!isAlive(node))
      canvas.put(
        row,
        barAt,
        fitted(`${node.state}: ${node.why ?? ''}`.replace(/: $/, ''), canvas.columns - barAt),
        'bad',
      );
    else {
      if (value !== undefined) drawBar(canvas, { row, column: barAt, width: bar, part: value / end }, state);
      if (value !== undefined) canvas.restyle(row, barAt, barAt + bar, figure.style(value));
      drawRow(canvas, { row, left: rest }, others, node);
    }
    if (node.name === state.node) canvas.restyle(row, 0, nameWidth, 'selected');
  }
  return rangeOf(page, nodes.length);
}

const EIGHTHS = ' ▏▎▍▌▋▊▉█';

function drawBar(
  canvas: Canvas,
  { row, column, width, part }: { row: number; column: number; width: number; part: number },
  { unicode }: { unicode: boolean },
): void {
  const eighths = part <= 0 ? 0 : Math.max(1, Math.round(Math.min(1, part) * width * 8));
  for (let at = 0; at * 8 < eighths; at += 1) {
    const filled = Math.min(8, eighths - at * 8);
    canvas.put(row, column + at, unicode ? EIGHTHS[filled] : filled >= 4 || at === 0 ? '#' : ' ');
  }
}

function columnsOf(state: MonitorState, nameWidth: number): TableColumn<NodeFigures>[] {
  const { load, speed, utilisation } = FIGURES;
  const right = (
    title: string,
    width: number,
    rank: number,
    text: (node: NodeFigures) => string,
  ): TableColumn<NodeFigures> => ({
    title,
    width,
    rank,
    align: 'right',
    text,
  });
  return [
    { title: 'NODE', width: nameWidth, align: 'left', rank: 0, text: ({ name }) => name },
    right('LOAD', 5, 0, (node) => formatMaybe(load.of(node, state.yardstick), load.write)),
    right('CPUS', 4, 3, ({ cpus }) => formatMaybe(cpus, (value) => formatCount(Number(value.toFixed(2))))),
    right('SPEED', 6, 2, (node) => formatMaybe(node.speed, speed.write)),
    right('UTIL', 5, 1, (node) => formatMaybe(node.utilisation, utilisation.write)),
    right('MEMORY USED', 18, 4, ({ freeMemory, totalMemory }) => formatUse(freeMemory, totalMemory)),
    right('SWAP USED', 18, 10, ({ freeSwap, totalSwap }) => formatUse(freeSwap, totalSwap)),
    right('GUESTS', 6, 1, ({ guests }) => formatMaybe(guests)),
    right('AWAY', 5, 5, ({ away }) => formatMaybe(away)),
    right('I/O /s', 8, 6, ({ ioBytesPerSecond }) =>
      formatMaybe(ioBytesPerSecond, (value) => formatBytes(Math.round(value))),
    ),
    { title: 'STATUS', width: 12, align: 'left', rank: 7, text: statusOf },
    right('AGE', 7, 8, ({ ageMs }) => formatMaybe(ageMs, formatAge)),
    right('RTT', 7, 9, ({ rttMs }) => formatMaybe(rttMs, formatMilliseconds)),
    right('UP', 9, 11, ({ uptimeSeconds }) => formatMaybe(uptimeSeconds, formatUptime)),
    right('USERS', 5, 12, ({ users }) => formatMaybe(users)),
    right('VERSION', 8, 13, ({ version }) => version ?? '-'),
  ];
}

function formatAge(milliseconds: number): string {
  return Number.isFinite(milliseconds) ? formatMilliseconds(milliseconds) : '-';
}

/** What its owner has said of it (mosctl), and what is wrong with it. */
export function statusOf({ state, status = {}, self }: NodeFigures): string {
  const words = [
    self ? 'this' : '',
    state === 'suspect' ? 'suspect' : '',
    status.engineDown ? 'no engine' : '',
    status.block ? 'block' : '',
    status.stay ? 'stay' : '',
    status.lstay ? 'lstay' : '',
    status.hostingOnly ? 'hosting' : '',
    status.ownerPresent ? 'owner' : '',
    status.leaving ? 'leaving' : '',
  ];
  return words.filter((word) => word !== '').join(' ');
}
