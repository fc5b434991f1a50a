/** Signal actions of a parked deputy: what the program catches is recorded by the stub, and never handled on stale memory. */
import { nr } from '../sys/x64/numbers.ts';
import type { InjectedCall, Stub } from './stub.ts';

const SA_SIGINFO = 4n;
const SA_RESTART = 0x10000000n;
const SA_RESTORER = 0x04000000n;

/** What a parked deputy does with a signal: default and ignore stay, anything caught goes to the recorder. */
export function recorderAction(
  stub: Stub,
  plain: bigint | undefined,
  flags: bigint,
): { handler: bigint; flags: bigint; restorer: bigint; mask: bigint } {
  if (plain !== undefined) return { handler: plain, flags, restorer: 0n, mask: 0n };
  return {
    handler: BigInt(stub.base + stub.code.recorder),
    flags: flags | SA_SIGINFO | SA_RESTART | SA_RESTORER,
    restorer: BigInt(stub.base + stub.code.restorer),
    mask: 0n,
  };
}

/** For a struct kernel_sigaction of the program's: what the parked deputy has in its place. */
export function mirroredAction(stub: Stub, action: Uint8Array): ReturnType<typeof recorderAction> {
  const words = new DataView(action.buffer, action.byteOffset);
  const handler = words.getBigUint64(0, true);
  const SA_NOCLDSTOP_NOCLDWAIT = 3n;
  return recorderAction(stub, handler > 1n ? undefined : handler, words.getBigUint64(8, true) & SA_NOCLDSTOP_NOCLDWAIT);
}

/** While parked, caught signals go to the recorder, so that no handler runs on stale memory if this engine dies. */
export function recorderCalls(stub: Stub, actions: string): InjectedCall[] {
  const bytes = Buffer.from(actions, 'base64');
  const calls: InjectedCall[] = [];
  const SIGTRAP = 5;
  stub.writeAction(0, recorderAction(stub, undefined, 0n));
  for (let signal = 1; signal <= 64; signal++) {
    if (bytes.readBigUInt64LE((signal - 1) * 32) <= 1n) continue;
    if (signal === SIGTRAP) {
      stub.setTrapAction(recorderAction(stub, undefined, 0n)); // the escape, which is installed, gives way to it
      continue;
    }
    stub.writeAction(32 * signal, recorderAction(stub, undefined, bytes.readBigUInt64LE((signal - 1) * 32 + 8) & 3n));
    calls.push([nr.rt_sigaction, signal, stub.scratchAddress(32 * signal), 0, 8]);
  }
  return calls;
}
