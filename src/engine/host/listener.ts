/** The listening side of a body's seccomp filter: trapped calls come out of it, answers go in (seccomp_unotify(2)). */
import { close } from '../../sys/descriptors.ts';
import { kernel } from '../../sys/kernel.ts';
import { arena, scratch } from '../../sys/memory.ts';
import { nr } from '../../sys/x64/numbers.ts';

const NOTIF_RECV = 0xc0502100;
const NOTIF_SEND = 0xc0182101;
const FLAG_CONTINUE = 1;
const AUDIT_ARCH_X86_64 = 0xc000003e;
/** struct seccomp_notif, 80 bytes: id, pid, flags, then struct seccomp_data: nr, arch, instruction pointer, six arguments. */
const notificationAt = scratch(80);
/** struct seccomp_notif_resp: id, value, error, flags. */
const responseAt = scratch(24);

export interface TrappedCall {
  id: bigint;
  hostTid: number;
  nr: number;
  args: bigint[];
  wrongArchitecture: boolean;
}

export class Listener {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** The next trapped call; undefined when it was withdrawn meanwhile. */
  receive(): TrappedCall | undefined {
    arena.u8.fill(0, notificationAt, notificationAt + 80); // the kernel insists on zeroes
    if (kernel.call(nr.ioctl, this.fd, NOTIF_RECV, arena.address + notificationAt) < 0) return undefined;
    const words = arena.u64.subarray(notificationAt >> 3, (notificationAt >> 3) + 10);
    return {
      id: words[0],
      hostTid: arena.u32[(notificationAt >> 2) + 2],
      nr: arena.i32[(notificationAt >> 2) + 4],
      args: [words[4], words[5], words[6], words[7], words[8], words[9]],
      wrongArchitecture: arena.u32[(notificationAt >> 2) + 5] !== AUDIT_ARCH_X86_64,
    };
  }

  /** Ends the call with a result or -errno; restart codes (-512 …) are acted on by the kernel. */
  answer(id: bigint, result: number): void {
    const failed = result < 0 && result > -4096;
    this.#send(id, failed ? 0 : result, failed ? result : 0, 0);
  }

  /** Lets the kernel make the call here after all. */
  letThrough(id: bigint): void {
    this.#send(id, 0, 0, FLAG_CONTINUE);
  }

  #send(id: bigint, value: number, error: number, flags: number): void {
    arena.u64[responseAt >> 3] = id;
    arena.write64(responseAt + 8, value);
    arena.i32[(responseAt >> 2) + 4] = error;
    arena.u32[(responseAt >> 2) + 5] = flags;
    kernel.call(nr.ioctl, this.fd, NOTIF_SEND, arena.address + responseAt);
  }

  close(): void {
    close(this.fd);
  }
}
