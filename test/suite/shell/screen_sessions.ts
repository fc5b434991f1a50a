/** Sessions with programs that use the whole screen: started by a shell that moves, and moving themselves. */
import { keys, line, look, press, type Session, type Step } from './session.ts';

const { enter, suspend, escape } = keys;
const leave = (status = 0): Step => ({ type: `exit ${status}${enter}` });
const text = 'seq -f "line %g of a text that is longer than the screen" 1 200 > text';

const lessSteps: readonly Step[] = [
  look(' ', /line 24 /),
  look('b', /\(24,\d+\)\nline 1 /),
  look('G', /line 200 /),
  look('?line 77 ' + enter, /^\(24,\d+\)\nline 77 /),
  look('50g', /^\(24,\d+\)\nline 50 /),
  { type: '', resize: [12, 40], screen: /^\(12,[^]*line 50 of/ },
  look('j', /^\(12,\d+\)\n(?!line 50 of)/),
  { type: '', resize: [24, 80], screen: /^\(24,/ },
  look('100g', /^\(24,\d+\)\nline 100 /),
];

const pager: Session = {
  name: 'pager',
  packages: ['less'],
  prepare: text,
  steps: [
    look(`less text${enter}`, /\nline 1 [^]*\ntext/),
    ...lessSteps,
    look(suspend, /Stopped[^]*ready>\n$/),
    look(`fg${enter}`, /\nline 100 /),
    press('q', /ready> $/),
    look(`sort text | less${enter}`, /\nline 1 [^]*\n:/),
    press('q', /ready> $/),
    leave(),
  ],
};

const pagerAway: Session = {
  name: 'pager-away',
  packages: ['less'],
  prepare: text,
  command: ['less', 'text'],
  begins: /\nline 1 [^]*\ntext/,
  steps: [...lessSteps, { type: 'q' }],
};

const editorSteps: readonly Step[] = [
  look(`Owritten at the top${escape}`, /^\(1,18\)\nwritten at the top\nline 1 /),
  look('jdd', /^\(2,1\)\nwritten at the top\nline 2 /),
  look('ywP', /^\(2,5\)[^]*line line 2 /),
  look('10G', /^\(10,1\)/),
  look(`:s/text/book/${enter}`, /^\(10,1\)[^]*line 10 of a book/),
  look(`:silent undo${enter}`, /^\(10,1\)[^]*line 10 of a text/),
  look(`/line 50 ${enter}`, /^\(12,1\)[^]*line 50 /),
  look(`:w copy${enter}`, /^\(12,1\)[^]*copy"[^]*written/),
];

const editor: Session = {
  name: 'editor',
  packages: ['vim-tiny'],
  prepare: text,
  steps: [
    look(`vim.tiny -u NONE text${enter}`, /\nline 1 [^]*"text"/),
    ...editorSteps,
    look(suspend, /Stopped[^]*ready>\n$/),
    look(`fg${enter}`, /^\(12,1\)[^]*line 50 /),
    press(`:q!${enter}`, /ready> $/),
    line('cksum < copy'),
    line('top -b -n 1 -p $$ | tail -n 1 | grep -o bash'),
    leave(),
  ],
};

const editorAway: Session = {
  name: 'editor-away',
  packages: ['vim-tiny'],
  prepare: text,
  command: ['vim.tiny', '-u', 'NONE', 'text'],
  begins: /\nline 1 [^]*"text"/,
  steps: [...editorSteps, { type: `:q!${enter}` }],
};

export const screenSessions: readonly Session[] = [pager, pagerAway, editor, editorAway];
