import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseCommandLine } from './arguments.ts';
import { describeCommand } from './command.ts';
import { CommandError } from './exit_codes.ts';

const RULES = describeCommand({
  name: 'try',
  summary: 'try',
  usage: [],
  about: [],
  options: {
    on: { short: 'r', value: { name: 'NODE', kind: 'node' }, text: 'on' },
    home: { short: 'h', text: 'home' },
    count: { value: { name: 'N', kind: 'number' }, text: 'count' },
    shell: { value: { name: 'SHELL', kind: 'word', words: ['bash', 'fish'] }, text: 'shell' },
  },
  operands: [
    { name: 'PID', kind: 'pid' },
    { name: 'NODE', kind: 'place' },
  ],
  examples: [],
  exits: [],
});
const STOPPING = { ...RULES, stopAtOperand: true };

test('parseCommandLine leaves the arguments of another command alone when it stops at the operand', () => {
  const line = parseCommandLine(['-h', '-r', 'n2', 'ls', '-l', '--on', 'x', '--', '-h'], STOPPING);
  assert.deepEqual(line.operands, ['ls', '-l', '--on', 'x', '--', '-h']);
  assert.deepEqual([line.flags.has('home'), line.flags.has('help')], [true, false]);
  assert.equal(line.values.get('on'), 'n2');
  assert.equal(line.firstOperand, 3);
});

test('parseCommandLine takes everything after -- as operands', () => {
  assert.deepEqual(parseCommandLine(['-h', '--', '-x', '--on'], STOPPING).operands, ['-x', '--on']);
  assert.deepEqual(parseCommandLine(['12', '--', '-x'], RULES).operands, ['12', '-x']);
});

test('parseCommandLine finds options after operands when it does not stop', () => {
  const line = parseCommandLine(['12', 'n2', '--home'], RULES);
  assert.deepEqual(line.operands, ['12', 'n2']);
  assert.ok(line.flags.has('home'));
});

test('parseCommandLine reads grouped and joined short options', () => {
  const line = parseCommandLine(['-hrn2', 'ls'], STOPPING);
  assert.ok(line.flags.has('home'));
  assert.equal(line.values.get('on'), 'n2');
  assert.deepEqual(line.operands, ['ls']);
});

test('parseCommandLine says which option is wrong and why', () => {
  const wrong: [string[], RegExp][] = [
    [['--hmoe'], /no option --hmoe; did you mean "--home"\?/],
    [['-x'], /no option -x$/],
    [['--home=1'], /option --home takes no value/],
    [['-r'], /option -r needs a value/],
    [['--on='], /option --on needs a value/],
    [['--on'], /option --on needs a value/],
    [['--constructor'], /no option --constructor$/],
    [['--count', 'x'], /"x" is not a number/],
    [['--shell', 'fisch'], /no "fisch"; did you mean "fish"\? \(bash, fish\)/],
  ];
  for (const [args, message] of wrong) {
    assert.throws(
      () => parseCommandLine(args, STOPPING),
      (error) => error instanceof CommandError && error.exitCode === 2 && message.test(error.message),
      args.join(' '),
    );
  }
});

test('parseCommandLine says which operand is too many', () => {
  assert.throws(() => parseCommandLine(['1', 'n2', 'n3'], RULES), /nothing to do with "n3"; see try --help/);
  assert.ok(parseCommandLine(['1', 'n2', 'n3', '--help'], RULES).flags.has('help'));
});
