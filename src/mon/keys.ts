/** What a terminal sends for keys (ECMA-48, xterm-ctlseqs "PC-Style Function Keys"), as names. */

const SEQUENCES: Readonly<Record<string, string>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  '[H': 'home',
  '[F': 'end',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[4~': 'end',
  '[5~': 'page-up',
  '[6~': 'page-down',
  '[7~': 'home',
  '[8~': 'end',
  '[Z': 'back-tab',
};

const CONTROLS: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u007f': 'backspace',
  '\b': 'backspace',
  '\u0003': 'interrupt',
  '\u000c': 'redraw',
  '\u001a': 'suspend',
};

export interface KeyInput {
  keys: string[];
  /** The beginning of a sequence: to be put before what comes next, or, if nothing does, the key `escape`. */
  rest: string;
}

/** A letter is its own name. What is not known is passed over. */
export function parseKeys(text: string): KeyInput {
  const keys: string[] = [];
  let left = text;
  while (left !== '') {
    const sequence = /^\u001b(\[[0-?]*[ -/]*[@-~]|O[A-Za-z])/.exec(left);
    if (sequence !== null) {
      const name = SEQUENCES[sequence[1]];
      if (name !== undefined) keys.push(name);
      left = left.slice(sequence[0].length);
    } else if (/^\u001b(\[[0-?]*[ -/]*|O)?$/.test(left)) return { keys, rest: left };
    else {
      const [letter] = left;
      left = left.slice(letter.length);
      if (letter === '\u001b') keys.push('escape');
      else if (Object.hasOwn(CONTROLS, letter)) keys.push(CONTROLS[letter]);
      else if (letter >= ' ') keys.push(letter);
    }
  }
  return { keys, rest: '' };
}
