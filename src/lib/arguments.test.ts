import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type CommandLineRules, parseCommandLine } from './arguments.ts';
import { CommandError } from './exit_codes.ts';

const RULES: CommandLineRules = {
  options: { on: { type: 'string', short: 'r' }, home: { type: 'boolean', short: 'h' }, help: { type: 'boolean' } },
};
const STOPPING: CommandLineRules = { ...RULES, stopAtOperand: true };

test('parseCommandLine leaves the arguments of another command alone when it stops at the operand', () => {
  const line = parseCommandLine(['-h', '-r', 'n2', 'ls', '-l', '--on', 'x', '--', '-h'], STOPPING);
  assert.deepEqual(line.operands, ['ls', '-l', '--on', 'x', '--', '-h']);
  assert.deepEqual([...line.flags], ['home']);
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
  ];
  for (const [args, message] of wrong) {
    assert.throws(
      () => parseCommandLine(args, STOPPING),
      (error) => error instanceof CommandError && error.exitCode === 2 && message.test(error.message),
      args.join(' '),
    );
  }
});
