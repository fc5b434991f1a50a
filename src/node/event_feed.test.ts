import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakeNode, until } from '../../test/system/fake_node.ts';
import { CommandClient } from '../wire/command_client.ts';
import { commandSocket, type WatchNews } from '../wire/command_protocol.ts';
import { LineClient } from '../wire/line_client.ts';
import { EventFeed } from './event_feed.ts';

test('EventFeed tells what happens, in order, until its watcher is gone', async () => {
  const feed = new EventFeed();
  const gone = new AbortController();
  const told: WatchNews[] = [];
  const watching = feed.follow(gone.signal, (news) => told.push(news) > 0);
  assert.deepEqual(told, [{ events: [], missed: 0 }], 'a sign of life at once');
  feed.publish({ event: 'left', pid: 1 });
  feed.publish({ event: 'returned', pid: 1 });
  await until('both are told', () => told.flatMap(({ events }) => events).length === 2);
  assert.deepEqual(
    told.flatMap(({ events }) => events.map(({ event }) => event)),
    ['left', 'returned'],
  );
  gone.abort();
  await watching;
  feed.publish({ event: 'left', pid: 2 });
  assert.equal(told.flatMap(({ events }) => events).length, 2);
});

test('EventFeed keeps a limited number for who does not read, and says how many it forgot', async () => {
  const feed = new EventFeed();
  const gone = new AbortController();
  let reads = false;
  const told: WatchNews[] = [];
  const watching = feed.follow(gone.signal, (news) => reads && told.push(news) > 0);
  for (let pid = 1; pid <= 1000; pid += 1) feed.publish({ event: 'left', pid });
  reads = true;
  await until('the rest is told', () => told.length > 0);
  assert.equal(told[0].missed, 744);
  assert.deepEqual([told[0].events.length, told[0].events[0].pid, told[0].events.at(-1)?.pid], [256, 745, 1000]);
  gone.abort();
  await watching;
});

test('watch tells on the command socket what the engine tells, beside other requests', async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  const happens = Promise.withResolvers<object>();
  let happened = false;
  node.engine.behaviours['events'] = () => (happened ? new Promise(() => {}) : happens.promise);
  node.stopDaemon();
  await node.startDaemon();
  using client = await LineClient.connect(commandSocket(node.runDir), 5_000);
  const mosd = new CommandClient(client);
  const news: WatchNews[] = [];
  const watching = mosd.watch((one) => news.push(one));
  await until('it watches', () => news.length > 0);
  assert.equal((await mosd.hello()).node, 'n1');
  happened = true;
  happens.resolve({
    next: 2,
    events: [
      { event: 'left', pid: 7 },
      { event: 'used', pid: 7, cpuMs: 3 },
    ],
  });
  await until('it is told', () => news.flatMap(({ events }) => events).length === 2);
  node.stopDaemon();
  await assert.rejects(watching, /closed/);
});
