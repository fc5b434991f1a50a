/**
 * System V shared memory away: it is attached at home, by the deputy, so that its kernel counts it, and mapped here. What a
 * program detaches goes in both places. See docs/internals/sharing.md.
 */
import { mappings } from '../../sys/procfs.ts';
import type { Range } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { BodyHost, SpecialCall } from './body_host.ts';
import { forwardAnd } from './forwarded_calls.ts';
import type { InjectedCall } from '../task/stub.ts';

const EINVAL = -22;
const SHM_RDONLY = 0o10000;
const SHM_RND = 0o20000;
const SHM_EXEC = 0o100000;
const pageSize = 4096;

/** As the kernel finds it (ksys_shmdt in ipc/shm.c): all that is left of the first attachment that began at the address. */
function attachmentAt(body: BodyHost, address: number): Range[] {
  const all = mappings(body.hostPid).filter((m) => m.start >= address && m.start - address === m.offset);
  const first = all.find(({ inode }) => body.shared.segmentSize(inode) !== undefined);
  if (!first || address % pageSize !== 0) return [];
  const size = Math.ceil(body.shared.segmentSize(first.inode)! / pageSize) * pageSize;
  const parts = all.filter(({ inode, end }) => inode === first.inode && end - address <= size);
  return parts.map(({ start, end }) => ({ address: start, length: end - start }));
}

const attach: SpecialCall = (body, thread, call) => {
  const [id, address, flags] = call.args.map((arg) => Number(BigInt.asIntN(32, arg)));
  const known = (flags & ~(SHM_RDONLY | SHM_RND | SHM_EXEC)) === 0;
  if (thread.lodger || call.args[1] !== 0n || address !== 0 || !known)
    return body.comeHome(thread, 'it attaches System V shared memory at a place of its own');
  body.shared.attach(thread, call, { id, flags });
};

const detach: SpecialCall = (body, thread, call) => {
  if (thread.lodger) return body.comeHome(thread, 'it detaches System V shared memory behind vfork');
  const address = Number(call.args[0]);
  if (attachmentAt(body, address).length === 0) return body.finish(thread, call, EINVAL);
  body.shared.writeBack(true); // whoever attaches it next finds what is there now
  forwardAnd(body, thread, call, (result, made) => {
    if (result < 0) return body.comeHome(thread, 'it detaches System V shared memory that it has moved');
    body.takeOver(thread, made, (session) => {
      const parts = attachmentAt(body, address);
      session.run(parts.map((part): InjectedCall => [nr.munmap, part.address, part.length]));
      return 0;
    });
  });
};

export const segmentCalls: Readonly<Record<string, SpecialCall>> = { shmat: attach, shmdt: detach };
