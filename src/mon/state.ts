/** What the monitor shows: its whole state. */
import { STANDARD_SPEED, type FigureName } from './figures.ts';
import type { Move } from './moves.ts';
import type { Picture } from './picture.ts';

export type View = 'chart' | 'list' | 'processes' | 'node' | 'help';
/** `value`: by the figure that is shown, the greatest first. */
export type NodeOrder = 'name' | 'value' | 'state';
export type ProcessOrder = 'pid' | 'cpu' | 'memory' | 'calls' | 'where';

export interface MonitorState {
  view: View;
  /** Where escape leads back to. */
  before: View;
  figure: FigureName;
  showDead: boolean;
  showTotals: boolean;
  yardstick: number;
  /** Only nodes of this cluster; undefined: all. */
  cluster: string | undefined;
  nodeOrder: NodeOrder;
  processOrder: ProcessOrder;
  /** Part of the name of a node, or of the program, user or job of a process. */
  filter: string;
  /** Name of a node. */
  node: string | undefined;
  /** Of the process list: the key of a process. */
  process: string | undefined;
  /** A line being typed at the bottom. */
  prompt: { for: 'filter' | 'yardstick'; text: string } | undefined;
  /** Said once, until the next key. */
  message: string;
  picture: Picture | undefined;
  moves: readonly Move[];
  /** Why there is nothing new; undefined while there is. */
  lost: string | undefined;
  rows: number;
  columns: number;
  /** The terminal can show more than ASCII. */
  unicode: boolean;
  quit: boolean;
}

export type MonitorEvent =
  | { kind: 'key'; key: string }
  | { kind: 'picture'; picture: Picture; at: string }
  | { kind: 'lost'; why: string }
  | { kind: 'size'; rows: number; columns: number };

export function initialState(options: { rows: number; columns: number; unicode: boolean }): MonitorState {
  return {
    ...options,
    view: 'chart',
    before: 'chart',
    figure: 'load',
    showDead: true,
    showTotals: true,
    yardstick: STANDARD_SPEED,
    cluster: undefined,
    nodeOrder: 'name',
    processOrder: 'pid',
    filter: '',
    node: undefined,
    process: undefined,
    prompt: undefined,
    message: '',
    picture: undefined,
    moves: [],
    lost: undefined,
    quit: false,
  };
}
