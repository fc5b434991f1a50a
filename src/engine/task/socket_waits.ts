/** Calls on a socket whose time-out is an option of the socket (SO_RCVTIMEO, SO_SNDTIMEO; socket(7)). */
import { close, descriptorOf, socketDomain, socketTimeout } from '../../sys/descriptors.ts';
import { nameOf } from '../../sys/syscalls.ts';
import { timeoutOf } from './timed_waits.ts';

/** A call, and the process in which its descriptor is one. */
export interface SocketCall {
  readonly pid: number;
  readonly nr: number;
  readonly args: readonly bigint[];
}

/** How long it waits in all, nanoseconds; undefined: for ever, or it is no call on a socket. */
export function socketTime({ pid, nr, args }: SocketCall): bigint | undefined {
  const timeout = timeoutOf(nr, args);
  if (timeout?.kind !== 'socket') return undefined;
  return ofSocket(pid, args[0], (fd) => socketTimeout(fd, timeout.option)) || undefined;
}

/** What it answers when its time is over: connect(2) has begun, unless the socket is local. */
export function timeoutError({ pid, nr, args }: SocketCall): number {
  const EAGAIN = -11;
  const EINPROGRESS = -115;
  const AF_UNIX = 1;
  if (nameOf(nr) !== 'connect') return EAGAIN;
  return ofSocket(pid, args[0], socketDomain) === AF_UNIX ? EAGAIN : EINPROGRESS;
}

function ofSocket<T>(pid: number, descriptor: bigint, ask: (fd: number) => T): T | undefined {
  const fd = descriptorOf(pid, Number(BigInt.asIntN(32, descriptor)));
  if (fd < 0) return undefined;
  try {
    return ask(fd);
  } finally {
    close(fd);
  }
}
