/**
 * Calls whose buffers depend on something that only home knows: it is asked first, then the call is made. Between the two
 * the answer may change, as it may between any two calls of the program.
 */
import { badAddress, planVmsplice, type BufferPlan } from '../../sys/marshal.ts';
import { nameOf } from '../../sys/syscalls.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { bodyMemory, plannedCall, wireBuffers, type BodyCall } from './body_call.ts';
import type { BodyHost, SpecialCall } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';

const EACCES = -13;
const IPC_STAT = 2n;
const SETALL = 17n;
/** struct semid64_ds, and the number of semaphores in it (linux/sem.h). */
const semaphoreSet = { size: 104, count: 80 };
const F_GETFL = 3n;
const O_ACCMODE = 3;

/** Makes another call at home before the program's own; `then` gets its result, and what it wrote to the first buffer. */
function ask(
  body: BodyHost,
  thread: BodyThread,
  question: BodyCall,
  then: (result: number, bytes: Uint8Array) => void,
): void {
  question.onResult = (result) => then(result, question.kept ?? new Uint8Array());
  body.forward(thread, question);
}

function withPlan(call: BodyCall, plan: readonly BufferPlan[]): BodyCall {
  return { ...call, plan, wire: wireBuffers(plan) };
}

/** GETALL and SETALL move a number for each semaphore of the set; how many there are is asked with IPC_STAT. */
function wholeSet(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  const [id, number, command, pointer] = call.args;
  const answer: BufferPlan = {
    argument: 3,
    address: 0,
    length: semaphoreSet.size,
    direction: 'inout',
    filled: 'success',
    unit: 1,
    contents: new Uint8Array(semaphoreSet.size),
    back: [],
  };
  const question = withPlan({ ...call, args: [id, 0n, IPC_STAT, 0n, 0n, 0n] }, [answer]);
  ask(body, thread, question, (result, bytes) => {
    // Who may not look at the set may still be allowed to set it.
    if (result === EACCES) return body.comeHome(thread, `${nameOf(call.nr)} of a set that it may not read`);
    const count = result < 0 ? 0 : Number(Buffer.from(bytes).readBigUInt64LE(semaphoreSet.count));
    if (count === 0) return body.forward(thread, { ...call, args: [id, number, command, badAddress, 0n, 0n] });
    const direction = BigInt.asIntN(32, command) === SETALL ? 'in' : 'out';
    const values = { argument: 3, address: Number(pointer), length: 2 * count, filled: 'whole', unit: 1 } as const;
    body.forward(thread, withPlan(call, [{ ...values, direction }]));
  });
}

/** vmsplice fills a pipe that is open for writing and empties one that is open for reading. */
function splicePages(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  ask(body, thread, { ...call, nr: nr.fcntl, args: [call.args[0], F_GETFL, 0n, 0n, 0n, 0n] }, (result) => {
    if (result < 0) return body.finish(thread, call, result);
    const direction = (result & O_ACCMODE) === 0 ? 'out' : 'in';
    const plan = planVmsplice(call.args, bodyMemory(body.hostPid), direction);
    if (plan.kind !== 'forward') return body.comeHome(thread, nameOf(call.nr));
    body.forward(thread, plannedCall(call, plan));
  });
}

export const twoStepCalls: Readonly<Record<string, SpecialCall>> = { semctl: wholeSet, vmsplice: splicePages };
