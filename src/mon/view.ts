/** The whole screen for a state: a title, totals, one of the views, the moves, and what can be done. Pure. */
import { formatBytes, formatCount } from '../lib/format.ts';
import { Canvas, fitted } from './canvas.ts';
import { drawChart } from './chart.ts';
import { FIGURES, formatMaybe, STANDARD_SPEED } from './figures.ts';
import { drawHelp } from './help.ts';
import { drawNodeDetails } from './node_details.ts';
import { drawNodeList } from './node_list.ts';
import { totalsOf } from './picture.ts';
import { drawMoves, drawProcessList } from './process_list.ts';
import { shownNodes } from './selection.ts';
import type { MonitorState } from './state.ts';

/** Below this nothing sensible can be drawn. */
const MIN_ROWS = 8;
const MIN_COLUMNS = 30;

export function render(state: MonitorState): Canvas {
  const canvas = new Canvas(state.rows, state.columns);
  if (state.rows < MIN_ROWS || state.columns < MIN_COLUMNS) {
    canvas.put(0, 0, fitted(`too small: ${MIN_COLUMNS}×${MIN_ROWS} at least; q quits`, state.columns), 'bad');
    return canvas;
  }
  const top = state.showTotals && state.view !== 'help' ? 2 : 1;
  if (top === 2) drawTotals(canvas, state);
  const moveRows = movesShown(state);
  const area = { top: top + 1, bottom: canvas.rows - 1 - moveRows };
  if (moveRows > 0) drawMoves(canvas, state.moves, { top: area.bottom, bottom: canvas.rows - 1 });
  const range = drawView(canvas, state, area);
  drawTitle(canvas, state, range);
  drawFooter(canvas, state);
  return canvas;
}

function drawView(canvas: Canvas, state: MonitorState, area: { top: number; bottom: number }): string {
  if (state.view === 'help') {
    drawHelp(canvas, area);
    return '';
  }
  if (state.picture === undefined) {
    canvas.put(area.top + 1, 2, fitted(state.lost ?? 'asking mosd …', canvas.columns - 2), 'dim');
    return '';
  }
  switch (state.view) {
    case 'chart':
      return drawChart(canvas, state, area);
    case 'list':
      return drawNodeList(canvas, state, area);
    case 'processes':
      return drawProcessList(canvas, state, area);
    case 'node':
      drawNodeDetails(canvas, state, area);
      return '';
  }
}

/** Rows at the bottom: none until something has moved. */
function movesShown({ view, moves, rows }: MonitorState): number {
  if (view === 'help' || moves.length === 0) return 0;
  const most = view === 'processes' ? Math.floor(rows / 3) : rows >= 40 ? 4 : rows >= 16 ? 2 : 1;
  return Math.min(most, moves.length);
}

function drawTitle(canvas: Canvas, state: MonitorState, range: string): void {
  const { picture, view, figure, lost, filter, cluster } = state;
  const yardstick = figure === 'load' && state.yardstick !== STANDARD_SPEED ? ` at speed ${state.yardstick}` : '';
  const what = {
    chart: `${FIGURES[figure].title}${yardstick}`,
    list: `nodes, ${FIGURES[figure].title}${yardstick}`,
    processes: 'programs',
    node: 'one node',
    help: 'help',
  }[view];
  const parts = [
    `mosmon on ${picture?.node ?? '-'}: ${what}`,
    cluster === undefined ? '' : `cluster ${cluster}`,
    filter === '' ? '' : `only "${filter}"`,
    range,
  ];
  canvas.put(0, 0, ' '.repeat(canvas.columns), 'selected');
  canvas.put(0, 1, fitted(parts.filter((part) => part !== '').join('   '), canvas.columns - 2), 'selected');
  if (lost !== undefined && picture !== undefined) canvas.put(1, 1, fitted(`old: ${lost}`, canvas.columns - 1), 'bad');
}

function drawTotals(canvas: Canvas, state: MonitorState): void {
  if (state.lost !== undefined) return;
  const { nodes = [] } = state.picture ?? {};
  const sums = totalsOf(nodes.filter(({ cluster }) => state.cluster === undefined || cluster === state.cluster));
  const dead = sums.nodes - sums.alive;
  const load = sums.load === undefined ? undefined : (sums.load * state.yardstick) / STANDARD_SPEED;
  const memory =
    sums.totalMemory === undefined || sums.freeMemory === undefined
      ? '-'
      : `${formatBytes(sums.totalMemory - sums.freeMemory)} of ${formatBytes(sums.totalMemory)}`;
  let at = canvas.put(1, 1, `${sums.alive} of ${sums.nodes} nodes`, dead > 0 ? 'bad' : 'good');
  const parts = [
    `${formatMaybe(sums.cpus)} CPUs`,
    `load ${formatMaybe(load, (value) => String(Math.round(value)))}`,
    `memory ${memory}`,
    `${formatMaybe(sums.guests, formatCount)} guests`,
  ];
  // Whole words or none.
  for (const part of parts) if (at + 3 + part.length <= canvas.columns) at = canvas.put(1, at + 3, part);
}

const KEYS: Readonly<Record<MonitorState['view'], string>> = {
  chart: 'l m s u g i figure  Tab list  Enter node  / find  o order  h help  q quit',
  list: 'l m s u g i figure  Tab programs  Enter node  / find  o order  h help  q quit',
  processes: 'Tab chart  Enter its node  / find  o order  h help  q quit',
  node: '[ ] other nodes  Esc back  h help  q quit',
  help: 'Esc back  q quit',
};

function drawFooter(canvas: Canvas, state: MonitorState): void {
  const row = canvas.rows - 1;
  const { prompt, message } = state;
  if (prompt !== undefined) {
    const question = prompt.for === 'filter' ? 'only with: ' : `yardstick (speed, ${STANDARD_SPEED} is standard): `;
    const at = canvas.put(row, 0, question, 'bold');
    canvas.put(row, canvas.put(row, at, prompt.text), ' ', 'selected');
    return;
  }
  const text =
    message === '' && shownNodes(state).length === 0 && state.filter !== ''
      ? 'nothing matches; Esc shows all'
      : message;
  canvas.put(row, 0, fitted(text === '' ? KEYS[state.view] : text, canvas.columns), text === '' ? 'dim' : 'bold');
}
