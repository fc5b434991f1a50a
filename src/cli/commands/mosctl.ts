/** The command line of mosctl; what it does is in src/cli/mosctl.ts. */
import { describeCommand } from '../../lib/command.ts';

/** Those that only say something to mosd, with the order that they set. */
export const ORDERS: Readonly<Record<string, readonly ['stay' | 'lstay' | 'block', boolean]>> = {
  stay: ['stay', true],
  nostay: ['stay', false],
  lstay: ['lstay', true],
  nolstay: ['lstay', false],
  block: ['block', true],
  noblock: ['block', false],
};

const WORDS = [...Object.keys(ORDERS), 'expel', 'bring', 'shutdown', 'status'];

export const mosctl = describeCommand({
  name: 'mosctl',
  verb: 'ctl',
  summary: 'say what may come to this node and leave it, and empty it',
  usage: [`{${WORDS.join('|')}} [--json]`],
  about: [
    'Orders hold until they are taken back, also over a restart of mosd. What is moved by command moves whatever is ordered, ' +
      'but no guest comes to a node that is blocked.',
  ],
  options: { json: { text: '{stay, lstay, block, closed}, or {gone, total, left} of what was emptied' } },
  operands: [{ name: 'ORDER', kind: 'word', words: WORDS }],
  sections: [
    {
      title: 'Orders',
      body: [
        ['stay, nostay', 'nothing leaves this node by itself, neither its own processes nor guests; or it may again'],
        ['lstay, nolstay', 'its own processes do not leave by themselves; or they may again'],
        ['block, noblock', 'no guests come; or they may again'],
        ['expel', 'block, and all guests leave; waits, shows how many are left, and Ctrl-C ends it'],
        ['bring', 'lstay (if root says so), and own processes that are away come home; a user brings his own'],
        ['shutdown', 'expel and bring: nothing of others is here any more, and nothing of this node elsewhere'],
        ['status', 'what is ordered'],
      ],
    },
  ],
  examples: [
    ['mosctl block', 'this machine is for its own programs now'],
    ['mosctl shutdown', 'before the machine is switched off'],
  ],
  exits: [
    ['0', 'done'],
    ['1', 'not all have gone'],
    ['2', 'bad usage'],
    ['69', 'no daemon'],
    ['77', 'not permitted'],
  ],
  seeAlso: ['mosps', 'mosmigrate', 'mosix down'],
});
