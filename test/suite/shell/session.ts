/** What a person does at a terminal, step by step: keys are typed, and the answer is waited for before the next step. */

/** The shell's prompt in all sessions. */
export const prompt = 'ready> ';

export const keys = {
  interrupt: '\u0003',
  endOfInput: '\u0004',
  quit: '\u001c',
  suspend: '\u001a',
  enter: '\r',
  tab: '\t',
  backspace: '\u007f',
  escape: '\u001b',
  up: '\u001b[A',
  down: '\u001b[B',
  right: '\u001b[C',
  left: '\u001b[D',
  lineBegin: '\u0001',
  lineEnd: '\u0005',
  killToEnd: '\u000b',
  killToBegin: '\u0015',
  killWord: '\u0017',
  yank: '\u0019',
  transpose: '\u0014',
  clear: '\u000c',
  searchBack: '\u0012',
  wordBack: '\u001bb',
  wordForward: '\u001bf',
} as const;

export interface Step {
  /** Typed one key after the other. */
  readonly type: string;
  /** Changes the window instead: rows and columns. */
  readonly resize?: readonly [number, number];
  /** Closes the terminal instead. */
  readonly hangUp?: boolean;
  /** What was written since the step began, control sequences taken out, must come to match. */
  readonly answer?: RegExp;
  /** What stands on the screen must come to match; the first line is the cursor's place, as `(row,column)`. */
  readonly screen?: RegExp;
}

export interface Session {
  readonly name: string;
  /** Debian packages that it needs. */
  readonly packages?: readonly string[];
  /** Instead of an interactive bash. */
  readonly command?: readonly string[];
  /** Run in the session's directory before it begins. */
  readonly prepare?: string;
  /** When its first screen is complete; by default, when the prompt stands there. */
  readonly begins?: RegExp;
  readonly steps: readonly Step[];
  /** The shell itself executes another program, which is a homecoming. */
  readonly executes?: boolean;
  /** How the program ends after the last step; by default, by `exit` of the shell with this status. */
  readonly ends?: number;
  /** Run in the session's directory after it; what it prints is compared as well. */
  readonly after?: string;
}

const afterPrompt = new RegExp(`\\n${prompt}$`);

/** A command line, and the prompt after it. */
export function line(command: string, answer: RegExp = afterPrompt): Step {
  return { type: `${command}${keys.enter}`, answer };
}

/** Keys that are answered by what is written. */
export function press(type: string, answer: RegExp = afterPrompt): Step {
  return { type, answer };
}

/** Keys after which the screen must show something. */
export function look(type: string, screen: RegExp): Step {
  return { type, screen };
}

/** The single keys of a text; one that sends a control sequence stays whole. */
export function keysOf(type: string): string[] {
  return type.match(/\u001b\[[0-9;]*[A-Za-z~]|\u001b[bf]|[^]/g) ?? [];
}
