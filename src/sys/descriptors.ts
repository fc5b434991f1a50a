/** File descriptors, epoll, eventfd, sockets, as far as the engine uses them directly. */
import { call } from './gate.ts';
import { arena, scratch, withCString } from './memory.ts';
import { must } from './errors.ts';
import { nr } from './x64/numbers.ts';

export const EPOLLIN = 1;
export const EPOLLOUT = 4;
export const EPOLLERR = 8;
export const EPOLLHUP = 16;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 0x10000000;
export const EPOLLET = 0x80000000;
export const EAGAIN = -11;

const eventAt = scratch(16);
const wordAt = scratch(16);

export function close(fd: number): void {
  call(nr.close, fd);
}

export function eventDescriptor(): number {
  return must(call(nr.eventfd2, 0, 0o2004000 /* cloexec, nonblock */), 'eventfd');
}

/** Adds one to an eventfd's counter. */
export function ring(fd: number): void {
  arena.write64(wordAt, 1);
  call(nr.write, fd, arena.address + wordAt, 8);
}

export function drain(fd: number): void {
  call(nr.read, fd, arena.address + wordAt, 8);
}

export function openPath(path: string, flags: number, mode = 0): number {
  return must(
    withCString(path, (p) => call(nr.open, p, flags | 0o2000000, mode)),
    'open',
    { path },
  );
}

const PIDFD_THREAD = 0x80;

function probeThreads(): boolean {
  const pidfd = call(nr.pidfd_open, call(nr.gettid), PIDFD_THREAD);
  if (pidfd >= 0) close(pidfd);
  return pidfd >= 0;
}

/** Whether a pidfd can be had for any thread (Linux 6.9): that of a main thread that has ended gives no descriptors. */
export const canNameThreads = probeThreads();

/** A duplicate of a descriptor of another process, or -errno. @param tid any living thread of it, if `canNameThreads` */
export function descriptorOf(tid: number, fd: number): number {
  const pidfd = call(nr.pidfd_open, tid, canNameThreads ? PIDFD_THREAD : 0);
  if (pidfd < 0) return pidfd;
  const copy = call(nr.pidfd_getfd, pidfd, fd, 0);
  close(pidfd);
  return copy;
}

export class Epoll {
  readonly fd = must(call(nr.epoll_create1, 0x80000), 'epoll_create1');
  readonly #events = scratch(12 * 64);

  add(fd: number, events: number): void {
    must(this.#control(1, fd, events), 'epoll_ctl add', { fd });
  }

  change(fd: number, events: number): void {
    must(this.#control(3, fd, events), 'epoll_ctl mod', { fd });
  }

  remove(fd: number): void {
    this.#control(2, fd, 0);
  }

  #control(operation: number, fd: number, events: number): number {
    arena.u32[eventAt >> 2] = events >>> 0;
    arena.u32[(eventAt >> 2) + 1] = fd;
    arena.u32[(eventAt >> 2) + 2] = 0;
    return call(nr.epoll_ctl, this.fd, operation, fd, arena.address + eventAt);
  }

  /** @param milliseconds 0 looks only, -1 waits for ever @returns number of events */
  wait(milliseconds: number): number {
    const n = call(nr.epoll_wait, this.fd, arena.address + this.#events, 64, milliseconds);
    return n < 0 ? 0 : n;
  }

  /** Descriptor of event `index` of the last wait. */
  descriptor(index: number): number {
    return arena.view.getUint32(this.#events + 12 * index + 4, true);
  }

  events(index: number): number {
    return arena.view.getUint32(this.#events + 12 * index, true);
  }
}

const addressAt = scratch(64);

/** Writes struct sockaddr_in or sockaddr_in6 for a numeric address. @returns its length */
function socketAddress(host: string, port: number): number {
  arena.u8.fill(0, addressAt, addressAt + 32);
  arena.view.setUint16(addressAt + 2, port, false);
  if (!host.includes(':')) {
    arena.view.setUint16(addressAt, 2, true);
    host.split('.').forEach((part, i) => (arena.u8[addressAt + 4 + i] = Number(part)));
    return 16;
  }
  arena.view.setUint16(addressAt, 10, true);
  const [head = '', tail = ''] = host.split('::');
  const words = (text: string): number[] => (text ? text.split(':').map((w) => parseInt(w, 16)) : []);
  const left = words(head);
  const right = words(tail);
  const all = host.includes('::')
    ? [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
    : left;
  all.forEach((word, i) => arena.view.setUint16(addressAt + 8 + 2 * i, word, false));
  return 28;
}

function option(fd: number, level: number, name: number, value: number): void {
  arena.u32[wordAt >> 2] = value;
  call(nr.setsockopt, fd, level, name, arena.address + wordAt, 4);
}

/** Seconds of silence after which a peer is given up. */
export const usualPatience = 13;

/** TCP_NODELAY (delayed acknowledgements cost milliseconds), keep-alive, and large buffers for page streams. */
export function tuneStream(fd: number): void {
  option(fd, 6, 1, 1);
  option(fd, 1, 9, 1);
  setPatience(fd, usualPatience);
  option(fd, 1, 7, 4 << 20);
  option(fd, 1, 8, 4 << 20);
}

/**
 * After how many seconds without a sign of life a connection is given up. The other kernel answers, however busy its
 * programs are. While sent bytes wait for an answer keep-alive is silent, and tcp(7) would try for a quarter of an hour.
 */
export function setPatience(fd: number, seconds: number): void {
  option(fd, 6, 4, Math.ceil(seconds / 3)); // TCP_KEEPIDLE, seconds
  option(fd, 6, 5, Math.ceil(seconds / 8)); // TCP_KEEPINTVL
  option(fd, 6, 18, seconds * 1000); // TCP_USER_TIMEOUT, milliseconds; ends keep-alive, too
}

export function listenTcp(host: string, port: number): number {
  const length = socketAddress(host, port);
  const family = host.includes(':') ? 10 : 2;
  const fd = must(call(nr.socket, family, 0x80801 /* stream, cloexec, nonblock */, 0), 'socket');
  option(fd, 1, 2, 1); // SO_REUSEADDR
  must(call(nr.bind, fd, arena.address + addressAt, length), 'bind', { host, port });
  must(call(nr.listen, fd, 128), 'listen', { host, port });
  return fd;
}

/** A connection, or -errno (EAGAIN when none waits). */
export function acceptTcp(listener: number): number {
  const fd = call(nr.accept4, listener, 0, 0, 0x80800);
  if (fd >= 0) tuneStream(fd);
  return fd;
}

/** The numeric address of a connection's other side, for the log (getpeername(2)). */
export function peerAddress(fd: number): string {
  arena.u32[wordAt >> 2] = 28;
  if (call(nr.getpeername, fd, arena.address + addressAt, arena.address + wordAt) < 0) return 'unknown';
  if (arena.view.getUint16(addressAt, true) === 2) return arena.u8.slice(addressAt + 4, addressAt + 8).join('.');
  const words = Array.from({ length: 8 }, (_, i) => arena.view.getUint16(addressAt + 8 + 2 * i, false).toString(16));
  return words.join(':');
}

/** Starts to connect; the socket becomes writable when that is decided. @returns fd or -errno */
export function connectTcp(host: string, port: number): number {
  const length = socketAddress(host, port);
  const fd = must(call(nr.socket, host.includes(':') ? 10 : 2, 0x80801, 0), 'socket');
  tuneStream(fd);
  const result = call(nr.connect, fd, arena.address + addressAt, length);
  if (result < 0 && result !== -115 /* EINPROGRESS */) {
    close(fd);
    return result;
  }
  return fd;
}

/** The pending error of a socket (0: connected), as -errno. */
export function socketError(fd: number): number {
  arena.u32[(wordAt >> 2) + 1] = 4;
  arena.u32[wordAt >> 2] = 0;
  const result = call(nr.getsockopt, fd, 1, 4, arena.address + wordAt, arena.address + wordAt + 4);
  return result < 0 ? result : -arena.i32[wordAt >> 2];
}

const timeAt = scratch(32);

/** A receive or send time-out of a socket in nanoseconds (SO_RCVTIMEO, SO_SNDTIMEO); 0: none, undefined: no socket. */
export function socketTimeout(fd: number, name: number): bigint | undefined {
  arena.u32[(timeAt + 16) >> 2] = 16;
  if (call(nr.getsockopt, fd, 1, name, arena.address + timeAt, arena.address + timeAt + 16) < 0) return undefined;
  return BigInt(arena.read64(timeAt)) * 1_000_000_000n + BigInt(arena.read64(timeAt + 8)) * 1000n;
}

export function setSocketTimeout(fd: number, name: number, nanoseconds: bigint): void {
  arena.write64(timeAt, Number(nanoseconds / 1_000_000_000n));
  arena.write64(timeAt + 8, Number((nanoseconds % 1_000_000_000n) / 1000n));
  call(nr.setsockopt, fd, 1, name, arena.address + timeAt, 16);
}

/** The address family of a socket (SO_DOMAIN), or -errno. */
export function socketDomain(fd: number): number {
  arena.u32[(timeAt + 16) >> 2] = 4;
  const result = call(nr.getsockopt, fd, 1, 39, arena.address + timeAt, arena.address + timeAt + 16);
  return result < 0 ? result : arena.i32[timeAt >> 2];
}

export function send(fd: number, address: number, length: number): number {
  return call(nr.sendto, fd, address, length, 0x4040 /* MSG_NOSIGNAL | MSG_DONTWAIT */, 0, 0);
}

export function receive(fd: number, address: number, length: number): number {
  return call(nr.recvfrom, fd, address, length, 0x40, 0, 0);
}

/** Process, user and group id of the peer of a Unix socket (SO_PEERCRED, unix(7)). */
export function peerCredentials(fd: number): { pid: number; uid: number; gid: number } {
  arena.u32[(wordAt >> 2) + 3] = 12;
  must(call(nr.getsockopt, fd, 1, 17, arena.address + wordAt, arena.address + wordAt + 12), 'getsockopt SO_PEERCRED', {
    fd,
  });
  return { pid: arena.i32[wordAt >> 2], uid: arena.u32[(wordAt >> 2) + 1], gid: arena.u32[(wordAt >> 2) + 2] };
}

/** Most descriptors in one message of ours; the kernel allows 253 (SCM_MAX_FD in include/net/scm.h). */
export const mostPassed = 128;
const rightsAt = scratch(128 + 4 * mostPassed);

/** Passes up to `mostPassed` descriptors over a Unix socket, in one message (SCM_RIGHTS, unix(7)). */
export function sendDescriptors(socket: number, fds: readonly number[]): void {
  // struct msghdr at +0 (56 bytes), one byte of data at +56, iovec at +64, control message at +96: its header has 16 bytes.
  arena.u8.fill(0, rightsAt, rightsAt + 96);
  const at = arena.address + rightsAt;
  const length = 16 + 4 * fds.length;
  arena.write64(rightsAt + 16, at + 64);
  arena.write64(rightsAt + 24, 1);
  arena.write64(rightsAt + 32, at + 96);
  arena.write64(rightsAt + 40, Math.ceil(length / 8) * 8);
  arena.write64(rightsAt + 64, at + 56);
  arena.write64(rightsAt + 72, 1);
  arena.write64(rightsAt + 96, length);
  arena.u32[(rightsAt + 104) >> 2] = 1; // SOL_SOCKET
  arena.u32[(rightsAt + 108) >> 2] = 1; // SCM_RIGHTS
  arena.i32.set(fds, (rightsAt + 112) >> 2);
  must(call(nr.sendmsg, socket, at, 0x4000), 'sendmsg SCM_RIGHTS', { descriptors: fds.length });
}
