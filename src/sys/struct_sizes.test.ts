import assert from 'node:assert/strict';
import { test } from 'node:test';

import { compileErrors, withoutGcc } from './testing/c_program.ts';
import { nativeArchitecture } from './syscall_numbers.ts';
import { structSizes, type StructSizes } from './struct_sizes.ts';

/** Where the kernel's own headers define each type. libc's headers differ in places and cannot be mixed with these. */
const definitions: Readonly<Record<string, Readonly<Partial<Record<keyof StructSizes, string>>>>> = {
  'asm/fcntl.h': { flock: 'struct flock', fileOwner: 'struct f_owner_ex' },
  'asm/signal.h': { sigaction: 'struct sigaction', signalSet: 'sigset_t' },
  'asm/siginfo.h': { siginfo: 'siginfo_t', sigevent: 'struct sigevent' },
  'asm/stat.h': { stat: 'struct stat' },
  'asm/statfs.h': { statfs: 'struct statfs' },
  'asm/termbits.h': { termios: 'struct termios', termios2: 'struct termios2' },
  'asm/termios.h': { termio: 'struct termio', winsize: 'struct winsize' },
  'linux/capability.h': {
    capabilityData: 'struct __user_cap_data_struct[2]',
    capabilityHeader: 'struct __user_cap_header_struct',
  },
  'linux/eventpoll.h': { epollEvent: 'struct epoll_event' },
  'linux/fs.h': { fileClone: 'struct file_clone_range', fsxattr: 'struct fsxattr' },
  'linux/if.h': { ifreq: 'struct ifreq' },
  'linux/mqueue.h': { messageQueueAttributes: 'struct mq_attr' },
  'linux/poll.h': { pollfd: 'struct pollfd' },
  'linux/resource.h': { rlimit: 'struct rlimit', rusage: 'struct rusage', int: 'int', long: 'long' },
  'linux/sem.h': { sembuf: 'struct sembuf' },
  'linux/socket.h': { sockaddrStorage: 'struct __kernel_sockaddr_storage' },
  'linux/stat.h': { statx: 'struct statx' },
  'linux/sysinfo.h': { sysinfo: 'struct sysinfo' },
  'linux/time.h': {
    itimerspec: 'struct itimerspec',
    itimerval: 'struct itimerval',
    timespec: 'struct timespec',
    timeval: 'struct timeval',
    timezone: 'struct timezone',
  },
  'linux/times.h': { tms: 'struct tms' },
  'linux/timex.h': { timex: 'struct __kernel_timex' },
  'linux/utime.h': { utimbuf: 'struct utimbuf' },
  'linux/utsname.h': { utsname: 'struct new_utsname' },
};

/** Newer than many a machine's headers (linux/mman.h of 6.5), or hidden in some of them; checked by the kernel itself in marshal_kernel.test.ts. */
const elsewhere: ReadonlySet<string> = new Set(['cachestat', 'cachestatRange', 'schedParam', 'ustat']);

for (const [header, types] of Object.entries(definitions)) {
  test(`structSizes agrees with <${header}>`, { skip: withoutGcc }, () => {
    const sizes = structSizes(nativeArchitecture);
    const lines = Object.entries(types).map(([name, type]) => {
      const size = sizes[name as keyof StructSizes];
      return `_Static_assert(sizeof(${type}) == ${size}, "${name} is not ${size} bytes");`;
    });
    assert.equal(compileErrors(`#include <${header}>\n${lines.join('\n')}\n`), '');
  });
}

test('structSizes is checked for every type it has', () => {
  const checked = new Set(Object.values(definitions).flatMap((types) => Object.keys(types)));
  const unchecked = Object.keys(structSizes('x64')).filter((name) => !checked.has(name));
  assert.deepEqual(new Set(unchecked), elsewhere);
});

test('structSizes knows what differs between the architectures', () => {
  assert.equal(structSizes('x64').stat, 144);
  assert.equal(structSizes('arm64').stat, 128);
  assert.equal(structSizes('x64').epollEvent, 12);
  assert.equal(structSizes('arm64').epollEvent, 16);
});
