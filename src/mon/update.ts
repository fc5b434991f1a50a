/** What keys, data and time change in the monitor. Pure: all of it comes in as events. */
import { FIGURE_OF_KEY, STANDARD_SPEED } from './figures.ts';
import { MOVES_KEPT, movesBetween } from './moves.ts';
import { shownNodes, shownProcesses } from './selection.ts';
import type { MonitorEvent, MonitorState, NodeOrder, ProcessOrder, View } from './state.ts';

export function update(state: MonitorState, event: MonitorEvent): MonitorState {
  switch (event.kind) {
    case 'size':
      return { ...state, rows: event.rows, columns: event.columns };
    case 'lost':
      return { ...state, lost: event.why };
    case 'picture': {
      const { picture, at } = event;
      const fresh = movesBetween(state.picture?.processes ?? [], picture.processes, at);
      const moves = [...state.moves, ...fresh].slice(-MOVES_KEPT);
      return { ...state, picture, moves, lost: undefined, node: state.node ?? picture.node };
    }
    case 'key': {
      const quiet = { ...state, message: '' };
      return state.prompt === undefined ? onKey(quiet, event.key) : onTyped(quiet, state.prompt, event.key);
    }
  }
}

const VIEWS: readonly View[] = ['chart', 'list', 'processes'];

function onKey(state: MonitorState, key: string): MonitorState {
  const figure = FIGURE_OF_KEY.get(key);
  if (figure !== undefined) return { ...state, figure, view: isOverNodes(state.view) ? state.view : 'chart' };
  const move = MOVES[key];
  if (move !== undefined) return select(state, move);
  switch (key) {
    case 'q':
    case 'interrupt':
      return { ...state, quit: true };
    case 'escape':
      if (state.view === 'help' || state.view === 'node') return { ...state, view: state.before };
      return { ...state, filter: '' };
    case 'h':
    case '?':
      return state.view === 'help' ? { ...state, view: state.before } : open(state, 'help');
    case 'enter':
      return state.view === 'node' ? { ...state, view: state.before } : openNode(state);
    case 'tab':
    case 'back-tab':
      return { ...state, view: turned(VIEWS, state.view, key === 'tab' ? 1 : -1) };
    case 'p':
      return { ...state, view: 'processes' };
    case 'd':
      return {
        ...state,
        showDead: !state.showDead,
        message: state.showDead ? 'without dead nodes' : 'with dead nodes',
      };
    case 't':
      return { ...state, showTotals: !state.showTotals };
    case 'o':
      return nextOrder(state);
    case 'n':
      return nextCluster(state);
    case '/':
      return { ...state, prompt: { for: 'filter', text: state.filter } };
    case 'y':
      return { ...state, prompt: { for: 'yardstick', text: '' } };
    default:
      return state;
  }
}

function isOverNodes(view: View): boolean {
  return view === 'chart' || view === 'list';
}

function open(state: MonitorState, view: View): MonitorState {
  return { ...state, view, before: state.view === 'node' || state.view === 'help' ? state.before : state.view };
}

/** From the list of processes: the node on which the selected one runs. */
function openNode(state: MonitorState): MonitorState {
  if (state.view === 'help') return state;
  if (state.view !== 'processes') return open(state, 'node');
  const found = shownProcesses(state).find(({ key }) => key === state.process);
  return open({ ...state, node: found?.figures.where ?? state.node }, 'node');
}

/** How far a key goes, in lines or pages. */
const MOVES: Readonly<Record<string, { by: number; pages?: boolean }>> = {
  up: { by: -1 },
  left: { by: -1 },
  '[': { by: -1 },
  down: { by: 1 },
  right: { by: 1 },
  ']': { by: 1 },
  'page-up': { by: -1, pages: true },
  'page-down': { by: 1, pages: true },
  home: { by: -Infinity },
  end: { by: Infinity },
};

function select(state: MonitorState, { by, pages }: { by: number; pages?: boolean }): MonitorState {
  if (state.view === 'help') return state;
  const inProcesses = state.view === 'processes';
  const names = inProcesses ? shownProcesses(state).map(({ key }) => key) : shownNodes(state).map(({ name }) => name);
  if (names.length === 0) return state;
  const now = names.indexOf((inProcesses ? state.process : state.node) ?? '');
  const distance = pages ? by * Math.max(1, state.rows - 10) : by;
  const next = names[Math.min(names.length - 1, Math.max(0, now < 0 ? 0 : now + distance))];
  return inProcesses ? { ...state, process: next } : { ...state, node: next };
}

const NODE_ORDERS: readonly NodeOrder[] = ['name', 'value', 'state'];
const PROCESS_ORDERS: readonly ProcessOrder[] = ['pid', 'cpu', 'memory', 'calls', 'where'];

function nextOrder(state: MonitorState): MonitorState {
  if (state.view === 'processes') {
    const processOrder = turned(PROCESS_ORDERS, state.processOrder, 1);
    const ordered = { ...state, processOrder, message: `in the order of ${processOrder}` };
    return { ...ordered, process: shownProcesses(ordered)[0]?.key };
  }
  const nodeOrder = turned(NODE_ORDERS, state.nodeOrder, 1);
  const message = `in the order of ${nodeOrder === 'value' ? state.figure : nodeOrder}`;
  const ordered = { ...state, nodeOrder, message };
  // Whoever orders wants to see the beginning.
  return { ...ordered, node: shownNodes(ordered)[0]?.name };
}

function nextCluster(state: MonitorState): MonitorState {
  const names = [...new Set(state.picture?.nodes.flatMap(({ cluster }) => cluster ?? []))].toSorted();
  if (names.length < 2) return { ...state, message: 'there is one cluster' };
  const cluster = turned([undefined, ...names], state.cluster, 1);
  return { ...state, cluster, message: cluster === undefined ? 'all clusters' : `cluster ${cluster}` };
}

function turned<T>(values: readonly T[], value: T, by: number): T {
  return values[(values.indexOf(value) + by + values.length) % values.length];
}

const MAX_TYPED = 60;

function onTyped(state: MonitorState, prompt: NonNullable<MonitorState['prompt']>, key: string): MonitorState {
  const { text } = prompt;
  const typed = (next: string): MonitorState => ({ ...state, prompt: { ...prompt, text: next.slice(0, MAX_TYPED) } });
  if (key === 'interrupt' || key === 'escape') return { ...state, prompt: undefined };
  if (key === 'backspace') return typed(text.slice(0, -1));
  if (Array.from(key).length === 1) return typed(text + key);
  if (key !== 'enter') return state;
  const done = { ...state, prompt: undefined };
  if (prompt.for === 'filter') return { ...done, filter: text };
  const yardstick = text === '' ? STANDARD_SPEED : Number(text);
  if (Number.isFinite(yardstick) && yardstick >= 1 && yardstick <= 10_000_000) return { ...done, yardstick };
  return { ...done, message: `"${text}" is no speed; ${STANDARD_SPEED} is standard` };
}
