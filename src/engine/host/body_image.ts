/** What a body is, in the terms of its home: home's ids, and home's CPU time with ours. */
import { layout } from '../task/stub.ts';
import type { Body } from './body.ts';
import type { FrozenThread } from './body_freeze.ts';
import { captureState, readAddressSpace, type IdentifyFile } from '../image/capture.ts';
import type { SpaceImage, StateImage } from '../image/image.ts';
import { captureLodger } from '../image/lodger.ts';

/** Its address space without what is ours in it. */
export function bodySpace({ hostPid, stub, limits, rings }: Body, identify: IdentifyFile): SpaceImage {
  const own = [{ address: stub.base, length: layout.size }];
  return { ...readAddressSpace(hostPid, { identify, own }), limits, rings };
}

/** @param all its threads, stopped. The signals that wait for it here are taken out of it; `body.goOn` gives them back. */
export function bodyState(body: Body, all: readonly FrozenThread[]): StateImage {
  const { stub } = body;
  const onHomesClock = all.map((entry) => ({ ...entry, since: entry.since + body.homeIsAhead }));
  const frozen = onHomesClock.filter(({ thread }) => !thread.lodger);
  frozen.sort((a, b) => (a.thread.tid === body.pid ? -1 : b.thread.tid === body.pid ? 1 : 0));
  const image = captureState(stub, frozen, 0n); // its signalfds are at home, and what they read as well
  image.lodgers = onHomesClock.flatMap((entry) => {
    const { thread } = entry;
    const waiting = body.threads.find((t) => t.awaits === thread)?.tid ?? 0;
    return thread.lodger ? [captureLodger(stub, entry, { tid: thread.tid, waiting })] : [];
  });
  image.heldSignals = body.heldSignals.toString(16);
  image.coarseClock = String(BigInt(image.coarseClock) + body.homeIsAhead);
  image.pid = body.pid;
  image.threads.forEach((thread, i) => {
    const { tid } = frozen[i].thread;
    thread.tid = tid;
    const before = body.threadCpuBase.get(tid);
    thread.cpuTimeAway = thread.cpuTime + (before?.away ?? 0);
    thread.cpuTime += before?.all ?? 0;
  });
  image.timers.posix.forEach((timer) => {
    timer.tid = frozen.find(({ task }) => task.tid === timer.tid)?.thread.tid ?? 0;
  });
  image.cpuTimeAway = image.cpuTime + body.cpuBase.away;
  image.cpuTime += body.cpuBase.all;
  image.signals.forEach((signal) => {
    if (signal.tid) signal.tid = frozen.find(({ task }) => task.tid === signal.tid)?.thread.tid ?? 0;
  });
  image.signals.push(...body.signals.takeAll());
  return image;
}
