/**
 * node type.ts SESSION SECONDS LAUNCHER…: runs a session's program on a terminal, types as a person does, and prints what
 * stood on the screen after each step, so that two runs can be compared. Process ids, which differ, are replaced.
 *
 * `SECONDS` are spread over the keys, for something to happen between them. Says `migrate: PID` on stderr and `ready` on
 * stdout when the session begins (`Case.announces`); an answer that does not come is a complaint, and ends it.
 */
import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process';
import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Screen } from './screen.ts';
import { keysOf, prompt, type Session, type Step } from './session.ts';
import { sessions } from './sessions.ts';

const answerMs = 40_000;
const lookMs = 5;
/** Who repaints a screen may do so in several writes: an answer is complete when nothing has followed it for so long. */
const quietMs = 60;
const size = [24, 80] as const;
const shell = ['bash', '--norc', '--noprofile', '-i'];

class NoAnswerError extends Error {}

type Terminal = ChildProcessByStdio<Writable, Readable, null>;

class Typist {
  readonly #terminal: Terminal;
  readonly #screen = new Screen(...size);
  /** All that was written since the present step began. */
  #fresh = '';
  #pid: number | undefined;
  #ended = false;
  #lastRead = 0;
  readonly end: Promise<number | null>;

  constructor(command: readonly string[]) {
    const env = { ...process.env, PS1: prompt, TERM: 'xterm', HISTFILE: '', LESS: '', INPUTRC: '/dev/null' };
    const argv = [join(import.meta.dirname, 'terminal.pl'), ...command];
    this.#terminal = spawn('perl', argv, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#terminal.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#terminal.stdin.on('error', () => {}); // it may end before it has read everything
    this.end = new Promise((resolve) => {
      this.#terminal.on('close', (code) => {
        this.#ended = true;
        resolve(code);
      });
    });
  }

  #read(text: string): void {
    this.#lastRead = performance.now();
    this.#fresh += text;
    if (this.#pid !== undefined) return this.#screen.write(text);
    const [first, pid] = /^pid (\d+)\n/.exec(this.#fresh) ?? [];
    if (first === undefined) return;
    this.#pid = Number(pid);
    this.#fresh = this.#fresh.slice(first.length);
    this.#screen.write(this.#fresh);
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  get picture(): string {
    return withoutIds(this.#screen.text);
  }

  /** Types one key after the other, `pauseMs` apart. */
  async do(step: Step, pauseMs: number): Promise<void> {
    this.#fresh = '';
    if (step.resize) {
      this.#screen.resize(...step.resize);
      this.#terminal.stdin.write(`@resize ${step.resize.join(' ')}\n`);
    } else if (step.hangUp) this.#terminal.stdin.write('@hangup\n');
    for (const key of keysOf(step.type)) {
      await sleep(pauseMs);
      this.#terminal.stdin.write(key);
    }
    await this.answers(step);
  }

  async answers({ answer, screen }: Pick<Step, 'answer' | 'screen'>): Promise<void> {
    const giveUp = performance.now() + answerMs;
    const done = (): boolean => (answer?.test(plain(this.#fresh)) ?? true) && (screen?.test(this.#screen.text) ?? true);
    while (!done() || performance.now() < this.#lastRead + quietMs) {
      if ((this.#ended && !done()) || performance.now() > giveUp)
        throw new NoAnswerError(
          `Cannot read ${answer ?? screen}: ${this.#ended ? 'the program has ended' : 'it did not come'}; ` +
            `it wrote ${JSON.stringify(this.#fresh.slice(-600))}; the screen:\n${this.#screen.text}\n${processes()}`,
        );
      await sleep(lookMs);
    }
  }

  kill(): void {
    this.#terminal.kill('SIGKILL');
  }
}

/** Who is there and waits for what, for whoever looks into a failure. */
function processes(): string {
  const of = (pid: string): string => {
    try {
      const [stat = '', waits = '', status = ''] = ['stat', 'wchan', 'status'].map((name) =>
        readFileSync(`/proc/${pid}/${name}`, 'latin1'),
      );
      const signals = [...status.matchAll(/^(...P|Sig...):\t(.*)$/gm)].map(([, name, set]) => `${name} ${set}`);
      return `${stat.split(' ').slice(0, 9).join(' ')}  ${waits}  ${signals.join(' ')}`;
    } catch {
      return `${pid} has ended`;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(of)
    .join('\n');
}

/** Without control sequences, carriage returns and bells. */
function plain(text: string): string {
  return text
    .replaceAll(/\u001b(\[[0-?]*[ -/]*[@-~]|\][^\u0007]*\u0007|[()].|[^[\]()])/g, '')
    .replaceAll(/[\r\u0007]/g, '');
}

/** `[1] 4711` when a job begins, `[1]+  4711 Running` in the list, `line 1:  4711 Killed` when one is killed. */
function withoutIds(text: string): string {
  return text
    .replaceAll(/^(.*\[\d+\][-+]?) +\d+\b/gm, '$1 PID')
    .replaceAll(/(job \d+)\[\d+\]/g, '$1[PID]')
    .replaceAll(/(: line \d+:) +\d+ (?=[A-Z])/g, '$1 PID ')
    .replaceAll(/pts\/\d+/g, 'pts/N');
}

async function run(session: Session, seconds: number, launcher: readonly string[]): Promise<void> {
  if (session.prepare !== undefined) execFileSync('sh', ['-ec', session.prepare]);
  const typist = new Typist([...launcher, ...(session.command ?? shell)]);
  const strokes = session.steps.reduce((sum, step) => sum + Math.max(1, keysOf(step.type).length), 0);
  try {
    await typist.answers({ screen: session.begins ?? new RegExp(`\n${prompt.trimEnd()}\n$`) });
    writeSync(2, `migrate: ${typist.pid}\n`);
    writeSync(1, `ready\n${typist.picture}`);
    for (const step of session.steps) {
      await typist.do(step, (1000 * seconds) / strokes);
      // The last one ends the program, of which only the end can be waited for.
      if (step !== session.steps.at(-1)) writeSync(1, `--- ${JSON.stringify(step.type)}\n${typist.picture}`);
    }
    const code = await typist.end;
    writeSync(1, `--- ended with ${code}\n${typist.picture}`);
    if (code !== (session.ends ?? 0)) throw new Error(`it ended with ${code}, not with ${session.ends ?? 0}`);
    if (session.after !== undefined)
      writeSync(1, execFileSync('sh', ['-c', session.after], { timeout: answerMs, encoding: 'utf8' }));
  } catch (error) {
    typist.kill();
    throw error;
  }
}

const [name, seconds, ...launcher] = process.argv.slice(2);
const session = sessions.find((one) => one.name === name);
if (session === undefined) throw new RangeError(`no session ${name}`);
try {
  await run(session, Number(seconds), launcher);
} catch (error) {
  writeSync(2, `${error instanceof NoAnswerError ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
