/**
 * Signals that wait at home although the body is away: those that the program blocks and reads from a signalfd, which
 * only the deputy's own kernel can fill. A program that wants such a signal in another way comes home.
 * See docs/internals/signals.md, "signalfd".
 */
import { signalSets } from '../../sys/procfs.ts';
import { peek } from '../../sys/remote_memory.ts';
import type { BodyCall } from './body_call.ts';
import type { BodyHost, SpecialCall } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';

const how = { block: 0, unblock: 1, set: 2 } as const;

/** The signal set at an address; undefined where nothing can be read. */
function maskAt(body: BodyHost, address: bigint): bigint | undefined {
  const bytes = Buffer.from(peek(body.hostPid, Number(address), 8));
  return bytes.length === 8 ? bytes.readBigUInt64LE() : undefined;
}

/** Makes the call here unless it concerns a held signal. */
function unless(wanted: boolean, body: BodyHost, thread: BodyThread, call: BodyCall): void {
  if (wanted) body.comeHome(thread, 'it waits for a signal that it also reads from a signalfd');
  else body.letThrough(thread, call);
}

export const heldSignalCalls = {
  rt_sigprocmask: (body, thread, call) => {
    const set = call.args[1] === 0n ? undefined : maskAt(body, call.args[1]);
    if (set === undefined) return body.letThrough(thread, call);
    const { blocked } = signalSets(thread.hostTid);
    const way = Number(BigInt.asIntN(32, call.args[0]));
    const next =
      way === how.block ? blocked | set : way === how.unblock ? blocked & ~set : way === how.set ? set : blocked;
    unless((body.heldSignals & ~next) !== 0n, body, thread, call);
  },
  rt_sigpending: (body, thread, call) => unless(true, body, thread, call),
  rt_sigsuspend: (body, thread, call) =>
    unless((body.heldSignals & ~(maskAt(body, call.args[0]) ?? -1n)) !== 0n, body, thread, call),
  rt_sigtimedwait: (body, thread, call) =>
    unless((body.heldSignals & (maskAt(body, call.args[0]) ?? 0n)) !== 0n, body, thread, call),
} satisfies Readonly<Record<string, SpecialCall>>;
