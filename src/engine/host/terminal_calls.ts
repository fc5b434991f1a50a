/**
 * Changes of a terminal by a process in the background. Whether SIGTTOU stops it depends on its mask, which the body's
 * kernel has; the terminal is home's. So for the time of the call the deputy's thread blocks the signal as the body does:
 * every shell with job control hands the terminal over like this.
 */
import type { BufferPlan } from '../../sys/call_plan.ts';
import { planTerminalChange } from '../../sys/marshal.ts';
import { signalSets } from '../../sys/procfs.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { bodyMemory, plannedCall, wireBuffers, type BodyCall } from './body_call.ts';
import type { BodyHost, SpecialCall } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';

const SIGTTOU = 22;
const bit = 1n << BigInt(SIGTTOU - 1);
const SIG_BLOCK = 0n;
const SIG_SETMASK = 2n;
const maskBytes = 8;

function maskBuffer(argument: number, mask: bigint, back: boolean): BufferPlan {
  const contents = new Uint8Array(maskBytes);
  new DataView(contents.buffer).setBigUint64(0, mask, true);
  const base = { argument, address: 0, length: maskBytes, unit: 1, contents } as const;
  return back
    ? { ...base, direction: 'inout', filled: 'success', back: [] }
    : { ...base, direction: 'in', filled: 'whole' };
}

/** Changes the mask of the deputy's thread; `onSet` gets the mask as it was. */
function setMask(
  body: BodyHost,
  thread: BodyThread,
  call: BodyCall,
  change: { how: bigint; mask: bigint; onSet: (before: bigint) => void },
): void {
  const plan = [maskBuffer(1, change.mask, false), maskBuffer(2, 0n, true)];
  const args = [change.how, 0n, 0n, BigInt(maskBytes), 0n, 0n];
  const setting: BodyCall = { ...call, nr: nr.rt_sigprocmask, args, plan, wire: wireBuffers(plan) };
  setting.onResult = () => change.onSet(setting.kept ? Buffer.from(setting.kept).readBigUInt64LE() : 0n);
  body.forward(thread, setting);
}

function changeTerminal(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  const plan = planTerminalChange(call.args, bodyMemory(body.hostPid));
  if (plan.kind === 'come-home') return body.comeHome(thread, plan.reason);
  if (plan.kind !== 'forward') return body.comeHome(thread, 'ioctl');
  const change = plannedCall(call, plan);
  if ((signalSets(thread.hostTid).blocked & bit) === 0n) return body.forward(thread, change);
  setMask(body, thread, call, {
    how: SIG_BLOCK,
    mask: bit,
    onSet: (before) => {
      change.always = true;
      change.onResult = (result) =>
        setMask(body, thread, call, { how: SIG_SETMASK, mask: before, onSet: () => body.finish(thread, call, result) });
      body.forward(thread, change);
    },
  });
}

export const terminalCalls: Readonly<Record<string, SpecialCall>> = { ioctl: changeTerminal };
