/** Which nodes and processes are shown, in which order, and which part of a long list is on the screen. */
import { FIGURES } from './figures.ts';
import { isAlive, type NodeFigures, type ProcessFigures } from './picture.ts';
import type { MonitorState } from './state.ts';

export function shownNodes(state: MonitorState): NodeFigures[] {
  const { picture, showDead, cluster, filter, nodeOrder } = state;
  const wanted = filter.toLowerCase();
  const nodes = (picture?.nodes ?? []).filter(
    (node) =>
      (showDead || isAlive(node) || node.self) &&
      (cluster === undefined || node.cluster === cluster) &&
      node.name.toLowerCase().includes(wanted),
  );
  const byName = (a: NodeFigures, b: NodeFigures): number => compareNames(a.name, b.name);
  if (nodeOrder === 'name') return nodes.toSorted(byName);
  if (nodeOrder === 'state') return nodes.toSorted((a, b) => a.state.localeCompare(b.state) || byName(a, b));
  const value = (node: NodeFigures): number => FIGURES[state.figure].of(node, state.yardstick) ?? -1;
  return nodes.toSorted((a, b) => value(b) - value(a) || byName(a, b));
}

/** `n2` before `n10`. */
function compareNames(a: string, b: string): number {
  return collator.compare(a, b);
}
const collator = new Intl.Collator('en', { numeric: true });

/** A process with a key that stays the same from one picture to the next. */
export interface KeyedProcess {
  key: string;
  figures: ProcessFigures;
}

export function shownProcesses(state: MonitorState): KeyedProcess[] {
  const wanted = state.filter.toLowerCase();
  const matches = ({ pid, comm, user, job = '', where, home }: ProcessFigures): boolean =>
    [String(pid), comm, user, job, where, home].some((text) => text.toLowerCase().includes(wanted));
  const number = (of: (one: ProcessFigures) => number | undefined) => (a: ProcessFigures, b: ProcessFigures) =>
    (of(b) ?? -1) - (of(a) ?? -1);
  const orders: Record<MonitorState['processOrder'], (a: ProcessFigures, b: ProcessFigures) => number> = {
    pid: (a, b) => a.pid - b.pid,
    cpu: number(({ cpuMs }) => cpuMs),
    memory: number(({ memoryBytes }) => memoryBytes),
    calls: number(({ callsPerSecond }) => callsPerSecond),
    where: (a, b) => compareNames(a.where, b.where),
  };
  const order = orders[state.processOrder];
  return (state.picture?.processes ?? [])
    .filter(matches)
    .toSorted((a, b) => order(a, b) || a.pid - b.pid)
    .map((figures) => ({ key: `${figures.home}/${figures.pid}`, figures }));
}

/** `12 to 29 of 300`, where not all are on the screen; else ''. */
export function rangeOf({ first, shown }: { first: number; shown: readonly unknown[] }, all: number): string {
  return shown.length === all ? '' : `${first + 1} to ${first + shown.length} of ${all}`;
}

/** The page of a list on which the selected entry is; the last one is full, too. */
export function pageOf<T>(list: readonly T[], selected: number, size: number): { first: number; shown: readonly T[] } {
  const room = Math.max(1, size);
  const page = Math.floor(Math.max(0, selected) / room) * room;
  const first = Math.max(0, Math.min(page, list.length - room));
  return { first, shown: list.slice(first, first + room) };
}
