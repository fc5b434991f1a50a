/** What a node tells of a guest. */
export interface GuestStatus {
  pid: number;
  uid: number;
  comm: string;
  home: string;
  hostPid: number;
  threads: number;
  moves: number;
  forwarded: number;
  since: number;
  state: string;
}
