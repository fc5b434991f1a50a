/**
 * The switch between the hosts of a bed: a bridge in the supervisor's network namespace, one veth pair per host.
 * Port N of the switch is called vN; inside the host the other end is eth0.
 */
import { execute } from './launch.ts';

export interface Port {
  number: number;
  /** pid of the host's init, as this machine sees it */
  init: number;
}

export class Switch {
  readonly pid: number;

  constructor(pid: number) {
    this.pid = pid;
  }

  async connect(ports: readonly Port[]): Promise<void> {
    const lines = ports.flatMap(({ number, init }) => [
      `link add v${number} type veth peer name eth0 address ${macOf(number)} netns ${init}`,
      `link set v${number} master br0 up`,
    ]);
    await this.#ip('connect the hosts', lines);
  }

  /** A cable pulled out: frames vanish both ways, nobody is told. */
  async cut(port: Port): Promise<void> {
    await this.#ip(`cut port ${port.number}`, [`link set v${port.number} nomaster`]);
  }

  async heal(port: Port): Promise<void> {
    await this.#ip(`heal port ${port.number}`, [`link set v${port.number} master br0`]);
  }

  /** Limits the host's link to `rate` (as tc writes it: 100mbit, 1gbit) both ways; undefined lifts the limit. */
  async shape(port: Port, rate: string | undefined): Promise<void> {
    const what = `shape port ${port.number}`;
    const ends: [number, string][] = [
      [this.pid, `v${port.number}`],
      [port.init, 'eth0'],
    ];
    for (const [pid, device] of ends) {
      const enter = ['nsenter', `--net=/proc/${pid}/ns/net`, '--', 'tc', 'qdisc'];
      const change =
        rate === undefined
          ? ['replace', 'dev', device, 'root', 'pfifo_fast'] // "del" would fail where no limit is set
          : ['replace', 'dev', device, 'root', 'tbf', 'rate', rate, 'burst', '256kb', 'limit', '1mb'];
      await execute([...enter, ...change], { what });
    }
  }

  async #ip(what: string, lines: readonly string[]): Promise<void> {
    await execute(['nsenter', `--net=/proc/${this.pid}/ns/net`, '--', 'ip', '-batch', '-'], {
      what,
      input: `${lines.join('\n')}\n`,
    });
  }
}

export function addressOf(port: number): string {
  return `10.99.0.${port}`;
}

function macOf(port: number): string {
  return `02:00:00:00:00:${port.toString(16).padStart(2, '0')}`;
}
