/** The process must stay where it is; the message says why. */
export class StaysHome extends Error {
  constructor(pid: number, reason: string) {
    super(`Process ${pid} stays home: ${reason}`);
    this.name = 'StaysHome';
  }
}
