import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpusInList, cpusInMax, cpusInQuota, effectiveCpus } from './cpu_limits.ts';
import { Decayed } from './decay.ts';
import { MemoryTrend, shortageOf } from './memory_trend.ts';
import { someStalled } from './pressure.ts';
import { ProcessMeter } from './process_meter.ts';
import { demandOf, loadOf, shareOf } from './units.ts';

test('loadOf is 100 for one task on one standard CPU, and demandOf its inverse', () => {
  assert.equal(loadOf({ speed: 10_000, cpus: 1 }, 1), 100);
  assert.equal(loadOf({ speed: 20_000, cpus: 4 }, 4), 50);
  const power = { speed: 12_345, cpus: 1.6 };
  assert.ok(Math.abs(demandOf(power, loadOf(power, 3.7)) - 3.7) < 1e-9);
});

test('shareOf gives a whole CPU while there are enough, and a fair part then', () => {
  assert.equal(shareOf(4, 3), 1);
  assert.equal(shareOf(4, 8), 0.5);
  assert.equal(shareOf(0.8, 0.1), 0.8);
});

test('Decayed forgets half in a half-life, however it is cut', () => {
  const [whole, cut] = [new Decayed(1000), new Decayed(1000)];
  for (const each of [whole, cut]) each.add(8, 50);
  whole.add(0, 1000);
  for (let i = 0; i < 10; i += 1) cut.add(0, 100);
  assert.ok(Math.abs((whole.value ?? 0) - 4) < 1e-9);
  assert.ok(Math.abs((cut.value ?? 0) - 4) < 1e-9);
});

test('ProcessMeter counts waiting for a CPU as demand, and threads that end not against it', () => {
  const meter = new ProcessMeter({ at: 0, cpuMs: 500, waitMs: 100, calls: 0, memoryBytes: 1 });
  assert.equal(meter.use === undefined, true); // a type guard would say that it stays so
  meter.feed({ at: 1000, cpuMs: 700, waitMs: 900, calls: 50, memoryBytes: 2 });
  assert.equal(meter.use?.demand, 1);
  assert.equal(meter.use?.cpus, 0.2);
  assert.equal(meter.use?.callsPerSecond, 50);
  assert.equal(meter.use?.runnableMs, 1600);
  meter.feed({ at: 2000, cpuMs: 700, waitMs: 0, calls: 50, memoryBytes: 2 });
  assert.ok((meter.use?.demand ?? -1) >= 0);
  assert.equal(meter.use?.runnableMs, 1600);
});

test('effectiveCpus is the tightest of CPUs, cpuset and quotas', () => {
  assert.equal(cpusInList('0-2,7\n'), 4);
  assert.equal(cpusInMax('max 100000'), Infinity);
  assert.equal(cpusInMax('80000 100000'), 0.8);
  assert.equal(cpusInQuota('-1', '100000'), Infinity);
  assert.equal(cpusInQuota('8000', '10000'), 0.8);
  assert.equal(effectiveCpus(4, Infinity, 0.8), 0.8);
});

test('MemoryTrend sees a shortage coming while there is still memory', () => {
  const MB = 1 << 20;
  const trend = new MemoryTrend();
  const total = 1000 * MB;
  assert.equal(shortageOf(trend.feed(0, { total, free: 600 * MB }), 0), 0);
  assert.equal(shortageOf(trend.feed(1000, { total, free: 599 * MB }), 0), 0);
  const falling = trend.feed(2000, { total, free: 300 * MB });
  assert.ok(shortageOf(falling, 0) === 50 * MB, `${shortageOf(falling, 0)}`);
  assert.equal(shortageOf({ total, free: 600 * MB }, 0.1), 0);
  assert.ok(shortageOf({ total, free: 600 * MB }, 0.5) > 0);
});

test('someStalled reads what the kernel writes', () => {
  assert.equal(someStalled('some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00'), 0.125);
  assert.equal(someStalled(''), 0);
});
