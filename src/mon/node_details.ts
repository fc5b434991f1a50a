/** All that is known of one node, and the programs of this node that are there. */
import { formatBytes, formatCount, formatMilliseconds } from '../lib/format.ts';
import { fitted, type Canvas, type Style } from './canvas.ts';
import { FIGURES, formatMaybe, formatUptime, formatUse } from './figures.ts';
import { isAlive, type NodeFigures } from './picture.ts';
import { statusOf } from './node_list.ts';
import type { MonitorState } from './state.ts';

export function drawNodeDetails(canvas: Canvas, state: MonitorState, area: { top: number; bottom: number }): void {
  const node = state.picture?.nodes.find(({ name }) => name === state.node);
  if (node === undefined) {
    canvas.put(area.top, 0, `node ${state.node ?? ''} is not known any more`, 'bad');
    return;
  }
  let row = area.top;
  for (const [term, text, style] of rowsOf(node, state)) {
    if (row >= area.bottom) return;
    canvas.put(row, 2, term, 'dim');
    canvas.put(row, 18, fitted(text, canvas.columns - 18), style);
    row += 1;
  }
  const here = (state.picture?.processes ?? []).filter(({ where }) => where === node.name);
  row += 1;
  if (row < area.bottom)
    canvas.put(row, 2, `programs that ${state.picture?.node} knows to be there: ${here.length}`, 'bold');
  for (const { pid, comm, user, home, memoryBytes, cpuMs } of here) {
    row += 1;
    if (row >= area.bottom) return;
    const text = `${pid}  ${comm}  of ${user}, home ${home}, ${formatBytes(memoryBytes)}, CPU ${formatMaybe(cpuMs, formatMilliseconds)}`;
    canvas.put(row, 4, fitted(text, canvas.columns - 4));
  }
}

function rowsOf(node: NodeFigures, { yardstick }: MonitorState): [term: string, text: string, style?: Style][] {
  const { load, speed, utilisation } = FIGURES;
  const rtt = node.rttMs === undefined ? '' : `, ${formatMilliseconds(node.rttMs)} away`;
  const age =
    node.ageMs === undefined || !Number.isFinite(node.ageMs) ? '' : `, as of ${formatMilliseconds(node.ageMs)} ago`;
  const { pressure, clockOffsetMs } = node;
  return [
    ['node', `${node.name}${node.address === undefined ? '' : `  ${node.address}`}`, 'bold'],
    [
      'state',
      `${node.state}${node.why === undefined ? '' : `: ${node.why}`}${rtt}${age}`,
      isAlive(node) ? 'good' : 'bad',
    ],
    ['status', statusOf(node) || '-'],
    ['CPUs', `${formatMaybe(node.cpus)} of speed ${formatMaybe(node.speed, speed.write)} (10000 is standard)`],
    ['load', formatMaybe(load.of(node, yardstick), load.write)],
    ['utilisation', formatMaybe(node.utilisation, utilisation.write)],
    [
      'waiting',
      pressure === undefined
        ? '-'
        : `for CPU ${pressure.cpu} %, memory ${pressure.memory} %, I/O ${pressure.io} % of the time`,
    ],
    ['memory used', formatUse(node.freeMemory, node.totalMemory)],
    ['swap used', formatUse(node.freeSwap, node.totalSwap)],
    [
      'I/O',
      `${formatMaybe(node.ioBytesPerSecond, formatBytes)} and ${formatMaybe(node.ioCallsPerSecond)} calls a second`,
    ],
    [
      'guests',
      `${formatMaybe(node.guests)}${node.maxGuests === undefined || node.maxGuests >= 65_535 ? '' : ` of at most ${node.maxGuests}`}`,
    ],
    ['away', formatMaybe(node.away)],
    ['up for', formatMaybe(node.uptimeSeconds, formatUptime)],
    ['users', formatMaybe(node.users)],
    [
      'clock',
      clockOffsetMs === undefined
        ? '-'
        : `${formatCount(Math.abs(clockOffsetMs))} ms ${clockOffsetMs < 0 ? 'behind' : 'ahead'}`,
    ],
    ['version', node.version ?? '-'],
  ];
}
