/** mosmon: the monitor on a terminal. What it shows and what keys do is in src/mon; here are the terminal, the clock and mosd. */
import { isatty } from 'node:tty';

import type { CommandLine } from '../lib/arguments.ts';
import { messageOf } from '../lib/errors.ts';
import { EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { totalsOf } from '../mon/picture.ts';
import { initialState, type MonitorEvent, type MonitorState } from '../mon/state.ts';
import { update } from '../mon/update.ts';
import { render } from '../mon/view.ts';
import { mosmon } from './commands/mosmon.ts';
import { FullScreen } from './full_screen.ts';
import { MosmonSource } from './mosmon_source.ts';
import { writeOut } from './output.ts';
import { asCommandError } from './refusals.ts';
import { runCommand } from './run_command.ts';
import { outputWidth } from './terminal.ts';

/** Milliseconds between two looks; of many nodes the list is long, and each look costs this node something. */
const LOOK_MS = 1_000;
const LOOK_MS_MANY = 2_000;
const MANY_NODES = 200;
/** Milliseconds from news to a look: several come together. */
const NEWS_MS = 100;

async function main({ flags }: CommandLine<typeof mosmon.options>): Promise<number> {
  if (flags.has('json') || flags.has('once') || !isatty(0) || !isatty(1)) return printOnce(flags.has('json'));
  return new Monitor().run();
}

async function printOnce(json: boolean): Promise<number> {
  using source = new MosmonSource();
  const picture = await source.look().catch((error: unknown) => {
    throw asCommandError(error);
  });
  if (json) writeOut(jsonLine({ ...picture, totals: totalsOf(picture.nodes) }));
  else {
    const width = outputWidth();
    // Title, totals, titles of the columns, and room for all nodes.
    const size = { rows: Math.max(picture.nodes.length + 5, 24), columns: width === Infinity ? 240 : width };
    const state = { ...initialState({ ...size, unicode: hasUnicode() }), view: 'list' as const };
    const [, ...lines] = render(update(state, { kind: 'picture', picture, at: '' }))
      .toString()
      .split('\n')
      .slice(0, -1);
    writeOut(`${lines.join('\n').trim()}\n`);
  }
  return EXIT.done;
}

class Monitor {
  readonly #source = new MosmonSource(() => this.#soon(NEWS_MS));
  readonly #end = Promise.withResolvers<number>();
  readonly #screen: FullScreen;
  #state: MonitorState = initialState({ rows: 24, columns: 80, unicode: hasUnicode() });
  #timer: NodeJS.Timeout | undefined;
  #due = Infinity;
  #looking = false;

  constructor() {
    this.#screen = new FullScreen({
      colours: !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
      onKey: (key) => this.#onKey(key),
      onSize: (rows, columns) => this.#take({ kind: 'size', rows, columns }),
      onEnd: (code) => this.#end.resolve(code),
    });
  }

  async run(): Promise<number> {
    using _screen = this.#screen;
    using _source = this.#source;
    void this.#look();
    const code = await this.#end.promise;
    clearTimeout(this.#timer);
    return code;
  }

  #onKey(key: string): void {
    if (key === 'suspend') return this.#screen.suspend();
    if (key === 'redraw') this.#screen.redraw();
    this.#take({ kind: 'key', key });
  }

  #take(event: MonitorEvent): void {
    this.#state = update(this.#state, event);
    if (this.#state.quit) this.#end.resolve(EXIT.done);
    // The screen says how large it is while it is being made.
    else queueMicrotask(() => this.#screen.show(render(this.#state)));
  }

  #soon(milliseconds: number): void {
    const due = performance.now() + milliseconds;
    if (due >= this.#due) return;
    this.#due = due;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), milliseconds);
  }

  async #look(): Promise<void> {
    this.#due = Infinity;
    if (this.#looking) return;
    this.#looking = true;
    try {
      const picture = await this.#source.look();
      this.#take({ kind: 'picture', picture, at: new Date().toTimeString().slice(0, 8) });
    } catch (error) {
      this.#take({ kind: 'lost', why: messageOf(asCommandError(error)) });
    }
    this.#looking = false;
    this.#soon((this.#state.picture?.nodes.length ?? 0) > MANY_NODES ? LOOK_MS_MANY : LOOK_MS);
  }
}

/** As the C library chooses the character set (locale(7)). */
function hasUnicode(): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

runCommand(mosmon, main);
