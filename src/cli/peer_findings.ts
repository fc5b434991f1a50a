/** mosix doctor --peer: whether this node and another one can work together, and if not, what is in the way. */
import { connect } from 'node:net';
import { arch, release } from 'node:os';

import { reasonOf } from '../lib/errors.ts';
import { PORTS } from '../lib/places.ts';
import type { NodeRow, PeerFindings } from '../wire/command_protocol.ts';
import { protocolVersion } from '../wire/frames.ts';
import { withDaemon } from './daemon_client.ts';
import { finding, type Finding } from './finding.ts';

const CONNECT_MS = 5_000;
/** Milliseconds by which two clocks may differ: programs see the time of day of the machine that they run on. */
const CLOCK_MS = 500;

/** @param whom the name of a node, or a machine that is none yet. @throws when this node's daemon does not answer */
export async function peerFindings(whom: string): Promise<Finding[]> {
  return withDaemon(async (mosd) => {
    const node = (await mosd.nodes()).find(({ name }) => name === whom);
    if (node?.self === true)
      return [{ what: whom, state: 'ok', text: 'this is the node that you ask; see mosix doctor' }];
    const place = node ?? { address: whom, port: PORTS.control, guestPort: PORTS.guest };
    const doors = await Promise.all([
      door('port of the daemons', place.address, place.port),
      door('port of the engines', place.address, place.guestPort),
    ]);
    if (node === undefined)
      return [
        ...doors,
        { what: whom, state: 'worse', text: 'no node of this name is in the cluster: only its ports were looked at' },
      ];
    if (node.state !== 'up') return [...doors, link(node)];
    return [...doors, link(node), ...compared(await mosd.askPeer(whom))];
  });
}

function link({ name, state, why, rttMs }: NodeRow): Finding {
  return finding('link', state === 'up', {
    ok: `it has shown that it is ${name}; ${rttMs?.toFixed(2) ?? '?'} ms away`,
    otherwise: why ?? `it is ${state}`,
  });
}

/** Whether something listens there, and nothing between here and there is in the way. */
async function door(what: string, address: string, port: number): Promise<Finding> {
  const where = `${address} port ${port}`;
  const why = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ host: address, port, timeout: CONNECT_MS });
    const done = (reason?: string): void => {
      socket.destroy();
      resolve(reason);
    };
    socket.on('connect', () => done());
    socket.on('timeout', () => done('nothing comes back: a firewall drops it, or the machine is off'));
    socket.on('error', (error) => done(reasonOf(error)));
  });
  return finding(what, why === undefined, {
    ok: `${where} is open`,
    otherwise: `${where}: ${why}; open it for TCP between the machines, and see there whether mosd runs (mosix status)`,
  });
}

function compared({ sent, received, report }: PeerFindings): Finding[] {
  const offset = Math.round(report.now - (sent + received) / 2);
  const error = Math.ceil((received - sent) / 2);
  return [
    finding('clock', Math.abs(offset) <= CLOCK_MS + error, {
      ok: `within ${Math.max(error, Math.abs(offset))} ms of this one`,
      otherwise: `${Math.abs(offset)} ms ${offset > 0 ? 'ahead of' : 'behind'} this one: programs that move see the time of day jump; synchronise both (chrony, systemd-timesyncd)`,
      worse: true,
    }),
    finding('version', report.protocol === protocolVersion, {
      ok: report.version,
      otherwise: `${report.version} speaks protocol ${report.protocol}, this node ${protocolVersion}: programs cannot move between them; install the same version`,
    }),
    finding('kernel', report.kernel === release() && report.architecture === arch(), {
      ok: `${report.kernel}, as here`,
      otherwise: `${report.kernel} on ${report.architecture}, here ${release()} on ${arch()}: programs move only between machines with the same build of the kernel`,
    }),
  ];
}
