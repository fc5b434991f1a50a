import assert from 'node:assert/strict';
import { test } from 'node:test';

import { suggest, suggestion } from './suggest.ts';

test('suggest finds the word that was meant when letters are wrong, missing, too many or swapped', () => {
  const known = ['node-one', 'node-two', 'n2', 'n3'];
  assert.equal(suggest('nodeone', known), 'node-one');
  assert.equal(suggest('ndoe-two', known), 'node-two');
  assert.equal(suggest('Node-Two', known), 'node-two');
  assert.equal(suggest('n22', known), 'n2');
});

test('suggest finds nothing when no word is near', () => {
  assert.equal(suggest('zebra', ['n2', 'n3']), undefined);
  assert.equal(suggestion('zebra', []), '');
});
