/** Signal actions of a parked deputy: what the program catches is recorded by the stub, and never handled on stale memory. */
import { nr } from '../../sys/x64/numbers.ts';
import { markerSignal } from '../image/stop_marker.ts';
import type { InjectedCall, Stub } from '../task/stub.ts';

const SA_NOCLDSTOP_NOCLDWAIT = 3n;
const SA_SIGINFO = 4n;
const SA_RESTART = 0x10000000n;
const SA_RESTORER = 0x04000000n;

interface KernelAction {
  handler: bigint;
  flags: bigint;
  restorer: bigint;
  mask: bigint;
}

/** What a parked deputy does with a signal: default and ignore stay, anything caught goes to the recorder. */
export function recorderAction(stub: Stub, plain: bigint | undefined, flags: bigint): KernelAction {
  if (plain !== undefined) return { handler: plain, flags, restorer: 0n, mask: 0n };
  return {
    handler: BigInt(stub.base + stub.code.recorder),
    flags: flags | SA_SIGINFO | SA_RESTART | SA_RESTORER,
    restorer: BigInt(stub.base + stub.code.restorer),
    mask: 0n,
  };
}

const SIGTSTP = 20;
/** TTIN, TTOU. */
const terminalStops: ReadonlySet<number> = new Set([21, 22]);

/**
 * The action of a signal that the program catches (`handler`), ignores (1) or leaves alone (0) while its deputy is parked;
 * undefined where it stays as it is. A stop signal comes to the deputy a second time when it is to act there, and must
 * then find its default action; of TTIN and TTOU the terminal looks whether they are ignored.
 */
function parkedAction(stub: Stub, signal: number, handler: bigint, flags: bigint): KernelAction | undefined {
  const caught = handler > 1n;
  if ((signal === SIGTSTP && handler !== 0n) || (terminalStops.has(signal) && caught))
    return recorderAction(stub, 0n, 0n);
  return caught ? recorderAction(stub, undefined, flags & SA_NOCLDSTOP_NOCLDWAIT) : undefined;
}

/** For a struct kernel_sigaction that the program sets while it is away: what the parked deputy has in its place. */
export function mirroredAction(stub: Stub, signal: number, action: Uint8Array): KernelAction {
  const words = new DataView(action.buffer, action.byteOffset);
  const handler = words.getBigUint64(0, true);
  const flags = words.getBigUint64(8, true);
  return parkedAction(stub, signal, handler, flags) ?? recorderAction(stub, handler, flags & SA_NOCLDSTOP_NOCLDWAIT);
}

/** While parked, caught signals go to the recorder, so that no handler runs on stale memory if this engine dies. */
export function recorderCalls(stub: Stub, actions: string, held: bigint): InjectedCall[] {
  const bytes = Buffer.from(actions, 'base64');
  const calls: InjectedCall[] = [];
  const SIGTRAP = 5;
  const marker = markerSignal(held);
  for (let signal = 1; signal <= 64; signal++) {
    const at = (signal - 1) * 32;
    const parked = parkedAction(stub, signal, bytes.readBigUInt64LE(at), bytes.readBigUInt64LE(at + 8));
    const action = signal === marker ? recorderAction(stub, undefined, 0n) : parked;
    if (!action) continue;
    if (signal === SIGTRAP) {
      stub.setTrapAction(recorderAction(stub, undefined, 0n)); // the escape, which is installed, gives way to it
      continue;
    }
    stub.writeAction(32 * signal, action);
    calls.push([nr.rt_sigaction, signal, stub.scratchAddress(32 * signal), 0, 8]);
  }
  return calls;
}
