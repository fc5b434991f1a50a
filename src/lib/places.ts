/** Where things are: files of a node unless it is configured otherwise, and nodes in the network. */

export const DEFAULT_CONFIG_FILE = '/etc/mosix/mosix.toml';
export const DEFAULT_KEY_FILE = '/etc/mosix/cluster.key';
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
