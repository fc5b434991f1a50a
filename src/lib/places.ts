/** Where things are: files of a node unless it is configured otherwise, and nodes in the network. */

export const DEFAULT_CONFIG_FILE = '/etc/mosix/mosix.toml';
export const DEFAULT_STATE_DIR = '/var/lib/mosix';
export const DEFAULT_RUN_DIR = '/run/mosix';

/** How the other nodes reach a node. */
export interface PeerConfig {
  name: string;
  address: string;
  /** Between two mosd. */
  port: number;
  /** Between two engines. */
  guestPort: number;
}

/** Ports unless configured otherwise; firewalls between nodes must let them through. */
export const PORTS = {
  /** TCP, between two mosd. Gossip datagrams use the same number by UDP. */
  control: 7100,
  /** TCP, between two engines. */
  guest: 7101,
} as const;
