/**
 * Real programs as acceptance cases. Each uses 8 to 20 s of CPU time, so that every mode has time to act; a case whose
 * original input was shorter has a larger one here. All outputs are functions of the input alone.
 */
import type { Case } from './case.ts';
import { families } from './workloads/families.ts';
import { runtimes } from './workloads/runtimes.ts';
import { scientific } from './workloads/scientific.ts';
import { singlePrograms } from './workloads/single.ts';

export const workloads: readonly Case[] = [...singlePrograms, ...scientific, ...families, ...runtimes];
