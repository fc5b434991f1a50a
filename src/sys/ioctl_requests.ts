/**
 * ioctl(2) by request: what its argument points to. A request that is not listed brings the process home.
 *
 * Sources: asm-generic/ioctls.h, linux/sockios.h, linux/fs.h and others; sizes are what the kernel's handler copies, which
 * is not always what the request's number claims (FS_IOC_GETFLAGS says long and moves an int). A descriptor is what the
 * handler belongs to: requests that mean different things to different drivers (0x5411) must agree in their size here.
 */

import type { ArgumentKind } from './syscalls.ts';

const value: ArgumentKind = { kind: 'value' };
const input = (bytes: number): ArgumentKind => ({ kind: 'in', length: { bytes } });
const output = (bytes: number): ArgumentKind => ({ kind: 'out', length: { bytes }, filled: 'whole' });
const both = (bytes: number): ArgumentKind => ({ kind: 'inout', length: { bytes } });

const int = 4;
const long = 8;
const termio = 18;
const termios = 36;
const termios2 = 44;
const winsize = 8;
const ifreq = both(40);
const arpreq = both(68);

/** fm_extent_count extents behind the header. */
const fiemap: ArgumentKind = { kind: 'inout', length: { countAt: 24, unit: 56, plus: 32 } };

/** [name, request, kind of argument 2] */
export const ioctlTable: readonly (readonly [name: string, request: number, kind: ArgumentKind])[] = [
  // Terminals
  ['TCGETS', 0x5401, output(termios)],
  ['TCSETS', 0x5402, input(termios)],
  ['TCSETSW', 0x5403, input(termios)],
  ['TCSETSF', 0x5404, input(termios)],
  ['TCGETA', 0x5405, output(termio)],
  ['TCSETA', 0x5406, input(termio)],
  ['TCSETAW', 0x5407, input(termio)],
  ['TCSETAF', 0x5408, input(termio)],
  ['TCGETS2', 0x802c542a, output(termios2)],
  ['TCSETS2', 0x402c542b, input(termios2)],
  ['TCSETSW2', 0x402c542c, input(termios2)],
  ['TCSETSF2', 0x402c542d, input(termios2)],
  ['TCSBRK', 0x5409, value],
  ['TCXONC', 0x540a, value],
  ['TCFLSH', 0x540b, value],
  ['TCSBRKP', 0x5425, value],
  ['TIOCSBRK', 0x5427, value],
  ['TIOCCBRK', 0x5428, value],
  ['TIOCEXCL', 0x540c, value],
  ['TIOCNXCL', 0x540d, value],
  ['TIOCSCTTY', 0x540e, value],
  ['TIOCNOTTY', 0x5422, value],
  ['TIOCGPGRP', 0x540f, output(int)],
  ['TIOCSPGRP', 0x5410, input(int)],
  ['TIOCGSID', 0x5429, output(int)],
  ['TIOCOUTQ', 0x5411, output(int)], // SIOCOUTQ of sockets
  ['TIOCSTI', 0x5412, input(1)],
  ['TIOCGWINSZ', 0x5413, output(winsize)],
  ['TIOCSWINSZ', 0x5414, input(winsize)],
  ['TIOCMGET', 0x5415, output(int)],
  ['TIOCMBIS', 0x5416, input(int)],
  ['TIOCMBIC', 0x5417, input(int)],
  ['TIOCMSET', 0x5418, input(int)],
  ['TIOCGSOFTCAR', 0x5419, output(int)],
  ['TIOCSSOFTCAR', 0x541a, input(int)],
  ['TIOCCONS', 0x541d, value],
  ['TIOCPKT', 0x5420, input(int)],
  ['TIOCSETD', 0x5423, input(int)],
  ['TIOCGETD', 0x5424, output(int)],
  ['TIOCGDEV', 0x80045432, output(int)],
  ['TIOCGPTN', 0x80045430, output(int)],
  ['TIOCSPTLCK', 0x40045431, input(int)],
  ['TIOCSIG', 0x40045436, value],
  ['TIOCVHANGUP', 0x5437, value],
  ['TIOCGPKT', 0x80045438, output(int)],
  ['TIOCGPTLCK', 0x80045439, output(int)],
  ['TIOCGEXCL', 0x80045440, output(int)],
  ['TIOCGPTPEER', 0x5441, value],
  ['TIOCMIWAIT', 0x545c, value],
  ['TIOCGLCKTRMIOS', 0x5456, output(termios)],
  ['TIOCSLCKTRMIOS', 0x5457, input(termios)],

  // The console
  ['KIOCSOUND', 0x4b2f, value],
  ['KDMKTONE', 0x4b30, value],
  ['KDGETLED', 0x4b31, output(1)],
  ['KDSETLED', 0x4b32, value],
  ['KDGKBTYPE', 0x4b33, output(1)],
  ['KDSETMODE', 0x4b3a, value],
  ['KDGETMODE', 0x4b3b, output(int)],
  ['KDGKBMODE', 0x4b44, output(int)],
  ['KDSKBMODE', 0x4b45, value],
  ['KDGKBLED', 0x4b64, output(1)],
  ['VT_OPENQRY', 0x5600, output(int)],
  ['VT_GETSTATE', 0x5603, output(6)],
  ['VT_ACTIVATE', 0x5606, value],
  ['VT_WAITACTIVE', 0x5607, value],

  // Any descriptor
  ['FIONREAD', 0x541b, output(int)], // TIOCINQ, SIOCINQ
  ['FIONBIO', 0x5421, input(int)],
  ['FIONCLEX', 0x5450, value],
  ['FIOCLEX', 0x5451, value],
  ['FIOASYNC', 0x5452, input(int)],
  ['FIOQSIZE', 0x5460, output(long)],

  // Files and file systems
  ['FIBMAP', 0x1, both(int)],
  ['FIGETBSZ', 0x2, output(int)],
  ['FS_IOC_GETFLAGS', 0x80086601, output(int)],
  ['FS_IOC_SETFLAGS', 0x40086602, input(int)],
  ['FS_IOC_GETVERSION', 0x80087601, output(int)],
  ['FS_IOC_FSGETXATTR', 0x801c581f, output(28)],
  ['FS_IOC_FSSETXATTR', 0x401c5820, input(28)],
  ['FS_IOC_FIEMAP', 0xc020660b, fiemap],
  ['FS_IOC_GETFSLABEL', 0x81009431, output(256)],
  ['FICLONE', 0x40049409, value],
  ['FICLONERANGE', 0x4020940d, input(32)],

  // Block devices
  ['HDIO_GETGEO', 0x301, output(16)],
  ['BLKROGET', 0x125e, output(int)],
  ['BLKGETSIZE', 0x1260, output(long)],
  ['BLKFLSBUF', 0x1261, value],
  ['BLKRAGET', 0x1263, output(long)],
  ['BLKSECTGET', 0x1267, output(2)],
  ['BLKSSZGET', 0x1268, output(int)],
  ['BLKBSZGET', 0x80081270, output(int)],
  ['BLKGETSIZE64', 0x80081272, output(8)],
  ['BLKIOMIN', 0x1278, output(int)],
  ['BLKIOOPT', 0x1279, output(int)],
  ['BLKALIGNOFF', 0x127a, output(int)],
  ['BLKPBSZGET', 0x127b, output(int)],
  ['BLKDISCARDZEROES', 0x127c, output(int)],
  ['BLKROTATIONAL', 0x127e, output(2)],

  // Other devices, timers, namespaces
  ['RNDGETENTCNT', 0x80045200, output(int)],
  ['RNDADDTOENTCNT', 0x40045201, input(int)],
  ['RTC_RD_TIME', 0x80247009, output(36)],
  ['TFD_IOC_SET_TICKS', 0x40085400, input(8)],
  ['NS_GET_USERNS', 0xb701, value],
  ['NS_GET_PARENT', 0xb702, value],
  ['NS_GET_NSTYPE', 0xb703, value],
  ['NS_GET_OWNER_UID', 0xb704, output(int)],

  // Sockets and interfaces
  ['FIOSETOWN', 0x8901, input(int)],
  ['SIOCSPGRP', 0x8902, input(int)],
  ['FIOGETOWN', 0x8903, output(int)],
  ['SIOCGPGRP', 0x8904, output(int)],
  ['SIOCATMARK', 0x8905, output(int)],
  ['SIOCGSTAMP_OLD', 0x8906, output(16)],
  ['SIOCGSTAMPNS_OLD', 0x8907, output(16)],
  ['SIOCGSTAMP_NEW', 0x80108906, output(16)],
  ['SIOCGSTAMPNS_NEW', 0x80108907, output(16)],
  ['SIOCOUTQNSD', 0x894b, output(int)],
  ['SIOCGIFNAME', 0x8910, ifreq],
  ['SIOCGIFFLAGS', 0x8913, ifreq],
  ['SIOCSIFFLAGS', 0x8914, ifreq],
  ['SIOCGIFADDR', 0x8915, ifreq],
  ['SIOCSIFADDR', 0x8916, ifreq],
  ['SIOCGIFDSTADDR', 0x8917, ifreq],
  ['SIOCSIFDSTADDR', 0x8918, ifreq],
  ['SIOCGIFBRDADDR', 0x8919, ifreq],
  ['SIOCSIFBRDADDR', 0x891a, ifreq],
  ['SIOCGIFNETMASK', 0x891b, ifreq],
  ['SIOCSIFNETMASK', 0x891c, ifreq],
  ['SIOCGIFMETRIC', 0x891d, ifreq],
  ['SIOCGIFMTU', 0x8921, ifreq],
  ['SIOCSIFMTU', 0x8922, ifreq],
  ['SIOCSIFNAME', 0x8923, ifreq],
  ['SIOCGIFHWADDR', 0x8927, ifreq],
  ['SIOCGIFINDEX', 0x8933, ifreq],
  ['SIOCGIFTXQLEN', 0x8942, ifreq],
  ['SIOCGARP', 0x8954, arpreq],
  ['SIOCGIFMAP', 0x8970, ifreq],
];

/** Kind of argument 2 of ioctl, by request. */
export const ioctlRequests: ReadonlyMap<number, ArgumentKind> = new Map(
  ioctlTable.map(([, request, kind]) => [request, kind]),
);

/**
 * Requests that a process in the background may make only if it blocks or ignores SIGTTOU; else the signal stops it
 * (tty_check_change in drivers/tty/tty_jobctrl.c): TIOCSPGRP, TCSETS and its relatives, TCSBRK, TCXONC, TCFLSH, TCSBRKP.
 */
export const terminalChanges: ReadonlySet<number> = new Set([
  0x5410, 0x5402, 0x5403, 0x5404, 0x5406, 0x5407, 0x5408, 0x402c542b, 0x402c542c, 0x402c542d, 0x5409, 0x540a, 0x540b,
  0x5425,
]);
