/** The ioctl table against the machine's own headers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runC, withoutGcc } from './testing/c_program.ts';
import { ioctlRequests, ioctlTable } from './ioctl_requests.ts';
import { nativeArchitecture } from './syscall_numbers.ts';

const headers = [
  'asm/termbits.h',
  'asm/ioctls.h',
  'linux/fs.h',
  'linux/fiemap.h',
  'linux/hdreg.h',
  'linux/kd.h',
  'linux/nsfs.h',
  'linux/random.h',
  'linux/rtc.h',
  'linux/sockios.h',
  'linux/timerfd.h',
  'linux/vt.h',
];
/** Requests that user programs see under a header that cannot be mixed with the others, or not at all. */
const unseen = new Set(['TFD_IOC_SET_TICKS']);

test('ioctlTable has the numbers of the headers', { skip: withoutGcc || nativeArchitecture !== 'x64' }, () => {
  const lines = ioctlTable.map(
    ([name]) => `#ifdef ${name}\nprintf("${name} %lu\\n", (unsigned long)(unsigned)(${name}));\n#endif`,
  );
  const includes = headers.map((each) => `#if __has_include(<${each}>)\n#include <${each}>\n#endif`);
  // struct timespec and the like, which some of the headers want before them.
  const source = `#include <stdio.h>\n#include <time.h>\n#include <sys/socket.h>\n${includes.join('\n')}\nint main(void) {\n${lines.join('\n')}\nreturn 0; }\n`;
  const found = new Map(
    runC(source)
      .trim()
      .split('\n')
      .map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]),
  );
  for (const [name, request] of ioctlTable) {
    if (unseen.has(name)) continue;
    assert.equal(found.get(name), request, name);
  }
});

test('ioctlTable lists every request once', () => {
  assert.equal(ioctlRequests.size, ioctlTable.length);
});
