/** A bar for each node, side by side, with a scale and the names below: the first thing that MOSIX's monitor shows. */
import type { Canvas, Style } from './canvas.ts';
import { FIGURES, scaleEnd } from './figures.ts';
import { isAlive, type NodeFigures } from './picture.ts';
import { pageOf, rangeOf, shownNodes } from './selection.ts';
import type { MonitorState } from './state.ts';

/** Columns of the scale at the left. */
const SCALE = 9;
const MIN_PITCH = 2;
const MAX_PITCH = 14;
/** Columns of a bar at which its value is written above it. */
const ROOM_FOR_VALUE = 6;
/** Rows for names that stand upright. */
const MAX_UPRIGHT = 6;
const EIGHTHS = ' ▁▂▃▄▅▆▇█';

/** @returns which part of the nodes is shown, if not all are */
export function drawChart(canvas: Canvas, state: MonitorState, area: { top: number; bottom: number }): string {
  const figure = FIGURES[state.figure];
  const value = (node: NodeFigures): number | undefined => figure.of(node, state.yardstick);
  const { nodes, pitch, first, shown } = pageOfChart(state);
  const end = scaleEnd(Math.max(0, ...nodes.map((node) => value(node) ?? 0)), figure);
  const labels = labelsOf(nodes, pitch);
  const longest = Math.max(1, ...shown.map((_, index) => labels[first + index].length));
  const upright = longest >= pitch;
  const labelRows = upright ? Math.min(MAX_UPRIGHT, longest) : 1;
  const base = area.bottom - labelRows;
  drawScale(canvas, { top: area.top, base, end, write: figure.write, unicode: state.unicode });
  for (const [index, node] of shown.entries()) {
    const column = SCALE + index * pitch;
    const known = isAlive(node) ? value(node) : undefined;
    if (known === undefined) drawUnknown(canvas, node, { column, base, pitch });
    else {
      const bar = { column, width: pitch - 1, top: area.top, base, part: known / end };
      drawBar(canvas, bar, { style: figure.style(known), unicode: state.unicode });
      if (pitch >= ROOM_FOR_VALUE) drawValue(canvas, bar, figure.write(known));
    }
    const style: Style = node.name === state.node ? 'selected' : isAlive(node) ? 'plain' : 'bad';
    drawLabel(canvas, labels[first + index], { row: base, column, rows: labelRows, upright, style });
  }
  return rangeOf({ first, shown }, nodes.length);
}

interface ChartPage {
  /** All that are shown, on this page and on others. */
  nodes: readonly NodeFigures[];
  /** Columns from one bar to the next. */
  pitch: number;
  first: number;
  shown: readonly NodeFigures[];
}

function pageOfChart(state: MonitorState): ChartPage {
  const nodes = shownNodes(state);
  const width = state.columns - SCALE;
  const pitch = Math.max(MIN_PITCH, Math.min(MAX_PITCH, Math.floor(width / Math.max(1, nodes.length))));
  const selected = nodes.findIndex(({ name }) => name === state.node);
  return { nodes, pitch, ...pageOf(nodes, selected, Math.floor(width / pitch)) };
}

/** Names; where they are too long, without what all begin with, so that what tells them apart is seen. */
function labelsOf(nodes: readonly NodeFigures[], pitch: number): string[] {
  const names = nodes.map(({ name }) => name);
  if (names.length < 3 || names.every(({ length }) => length < pitch)) return names;
  let common = 0;
  while (names.every((name) => name.length > common + 1 && name[common] === names[0][common])) common += 1;
  // A number is not cut in two.
  while (common > 0 && names.some((name) => /\d/.test(name[common - 1]))) common -= 1;
  return common < 2 ? names : names.map((name) => name.slice(common));
}

function drawScale(
  canvas: Canvas,
  options: { top: number; base: number; end: number; write: (value: number) => string; unicode: boolean },
): void {
  const { top, base, end, write, unicode } = options;
  const rows = base - top;
  const marks = rows >= 12 ? 4 : rows >= 6 ? 2 : 1;
  for (let row = top; row < base; row += 1) canvas.put(row, SCALE - 1, unicode ? '│' : '|', 'dim');
  for (let mark = 0; mark <= marks; mark += 1) {
    const row = Math.min(base - 1, top + Math.round(((marks - mark) / marks) * (rows - 1)));
    canvas.putRight(row, SCALE - 2, write((end * mark) / marks), 'dim');
    canvas.put(row, SCALE - 1, unicode ? '┤' : '+', 'dim');
  }
}

function drawBar(
  canvas: Canvas,
  bar: { column: number; width: number; top: number; base: number; part: number },
  { style, unicode }: { style: Style; unicode: boolean },
): void {
  const rows = bar.base - bar.top;
  // Whatever is there is seen: an eighth at least.
  const eighths = bar.part <= 0 ? 0 : Math.max(1, Math.round(Math.min(1, bar.part) * rows * 8));
  for (let row = 0; row < rows; row += 1) {
    const filled = Math.min(8, Math.max(0, eighths - row * 8));
    if (filled === 0) continue;
    const letter = unicode ? EIGHTHS[filled] : filled >= 4 || row === 0 ? '#' : ' ';
    canvas.put(bar.base - 1 - row, bar.column, letter.repeat(bar.width), style);
  }
}

/** Above the bar; in it, if that reaches the top. */
function drawValue(
  canvas: Canvas,
  bar: { column: number; top: number; base: number; part: number },
  text: string,
): void {
  const height = Math.ceil(Math.min(1, bar.part) * (bar.base - bar.top));
  canvas.put(Math.max(bar.top, bar.base - 1 - height), bar.column, text);
}

function drawUnknown(canvas: Canvas, node: NodeFigures, at: { column: number; base: number; pitch: number }): void {
  const text = isAlive(node) ? '-' : node.state;
  if (text.length < at.pitch) {
    canvas.put(at.base - 1, at.column, text, isAlive(node) ? 'dim' : 'bad');
    return;
  }
  for (const [index, letter] of Array.from(text.slice(0, 4)).entries())
    canvas.put(at.base - Math.min(4, text.length) + index, at.column, letter, isAlive(node) ? 'dim' : 'bad');
}

function drawLabel(
  canvas: Canvas,
  label: string,
  at: { row: number; column: number; rows: number; upright: boolean; style: Style },
): void {
  if (!at.upright) {
    canvas.put(at.row, at.column, label, at.style);
    return;
  }
  // The end of a name tells more than its beginning.
  for (const [index, letter] of Array.from(label.slice(-at.rows)).entries())
    canvas.put(at.row + index, at.column, letter, at.style);
}
