/** What a scenario of the simulator is: a name, what it shows, and a function from options to figures and complaints. */

export interface ScenarioOptions {
  nodes: number;
  seed: number;
  /** Simulated seconds. */
  seconds: number;
  /** Entries in a message; 0: what the scenario or the protocol chooses. */
  window: number;
  /** Called now and then with what is known so far. */
  progress: (figures: Figures) => void;
}

export type Figures = Readonly<Record<string, number | string>>;

export interface Outcome {
  figures: Figures;
  /** What did not hold; empty: all is well. */
  broken: readonly string[];
}

export interface Scenario {
  readonly about: string;
  readonly nodes: number;
  readonly seconds: number;
  readonly run: (options: ScenarioOptions) => Outcome;
}
