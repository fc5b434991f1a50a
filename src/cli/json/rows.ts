/**
 * The forms of what `--json` prints of nodes, processes and decisions: as schemas, of which the documentation is made and
 * against which tests hold what the commands really print. The compiler holds them against the types of the protocol.
 */
import * as v from 'valibot';

import type { DecisionRow, NodeMeasurement, NodeRow } from '../../wire/command_protocol.ts';
import type { CallList, ProcessRow } from '../../wire/engine_protocol.ts';

export const text = (meaning: string) => v.pipe(v.string(), v.description(meaning));
export const number = (meaning: string) => v.pipe(v.number(), v.description(meaning));
export const count = (meaning: string) => v.pipe(v.number(), v.integer(), v.minValue(0), v.description(meaning));
export const flag = (meaning: string) => v.pipe(v.boolean(), v.description(meaning));
export const pid = v.pipe(v.number(), v.integer(), v.minValue(1), v.description('process id at home'));

/** Keeps the schema, and has the compiler check that what it accepts is of the type. */
function of<T>() {
  return <S extends v.GenericSchema<unknown, T>>(schema: S): S => schema;
}

const rates = (what: string) =>
  v.pipe(
    v.strictObject({ callsPerSecond: number('calls a second'), bytesPerSecond: number('bytes a second') }),
    v.description(what),
  );

export const measurement = of<NodeMeasurement>()(
  v.strictObject({
    load: number('100 = one CPU-bound task on each CPU of standard speed'),
    speed: number('of one CPU; 10000 = standard'),
    cpus: number('effective CPUs under quotas'),
    architecture: text('x64 or arm64'),
    freeMemory: number('bytes'),
    totalMemory: number('bytes'),
    freeSwap: number('bytes'),
    totalSwap: number('bytes'),
    pressure: v.pipe(
      v.strictObject({ cpu: v.number(), memory: v.number(), io: v.number() }),
      v.description('per cent of the last 10 s in which some task waited'),
    ),
    utilisation: number('per cent of the CPUs in use'),
    localIo: rates('block input and output of programs at home'),
    remoteIo: rates('calls made here for programs that are away'),
    localIpc: rates('between processes of the node'),
    remoteIpc: rates('between processes over the network'),
    guests: count('programs of other nodes that run there'),
    maxGuests: count('that it takes at most; 65535: no limit'),
    away: count('its own programs that are away'),
    status: v.pipe(
      v.strictObject({
        stay: v.boolean(),
        lstay: v.boolean(),
        block: v.boolean(),
        hostingOnly: v.boolean(),
        leaving: v.boolean(),
        ownerPresent: v.boolean(),
        engineDown: v.boolean(),
      }),
      v.description('what its owner has ordered, and whether its engine is down'),
    ),
    clockOffsetMs: number('by which its clock is ahead of the others’, milliseconds'),
    version: text('of the software'),
    uptimeSeconds: number('of the machine'),
    users: count('users who are logged in'),
  }),
);

export const node = of<NodeRow>()(
  v.strictObject({
    name: text('of the node'),
    address: text('IP address'),
    port: count('TCP port of its daemon'),
    guestPort: count('TCP port of its engine'),
    state: v.pipe(v.picklist(['up', 'down', 'connecting']), v.description('whether this node reaches it')),
    self: v.optional(flag('it is the node that answers')),
    rttMs: v.optional(number('round trip, milliseconds')),
    why: v.optional(text('why it is not up')),
    ageMs: v.optional(number('since it measured itself, milliseconds; absent: nothing has been heard of it')),
    measured: v.optional(v.pipe(measurement, v.description('what it last said of itself; 0 is what it does not know'))),
  }),
);

const processFields = {
  pid,
  uid: count('its user’s id, at home'),
  comm: text('the program’s name'),
  where: text('the node on which it runs'),
  home: text('the node to which it belongs'),
  threads: count('its threads'),
  memoryBytes: number('memory where it runs, bytes'),
  moves: count('how often it has moved'),
  forwarded: count('system calls that its home has made for it'),
  forwardedPerSecond: number('of these in a second, now'),
  state: v.pipe(
    v.picklist(['away', 'leaving', 'moving', 'returning', 'stopped', 'guest', 'home']),
    v.description('what it is doing'),
  ),
  hostPid: v.optional(count('of a guest: its process id on the node where it runs')),
  cpuMs: v.optional(number('CPU time wherever it ran, milliseconds')),
  cpuAwayMs: v.optional(number('the part of it on other nodes')),
  job: v.optional(text('the job’s name (mosrun -J)')),
  reason: v.optional(text('why it came home, or did not leave')),
  since: v.optional(number('when it got there, milliseconds since 1970')),
};
export const processRow = of<ProcessRow>()(v.strictObject(processFields));
export const namedProcess = v.strictObject({ ...processFields, user: text('its user’s name') });

export const callList = of<CallList>()(
  v.strictObject({
    calls: v.array(
      v.strictObject({
        name: text('of the system call'),
        count: count('times'),
        micros: number('in all, microseconds'),
      }),
    ),
    reasons: v.array(v.strictObject({ reason: text('why it came home'), count: count('times') })),
  }),
);

export const decision = of<DecisionRow>()(
  v.strictObject({
    seq: v.optional(count('counts the events of this node; absent for a decision to stay')),
    at: number('milliseconds since 1970'),
    pid,
    kind: v.picklist(['moved', 'stays', 'refused', 'failed', 'gained']),
    from: text('a node'),
    to: v.optional(text('a node')),
    why: text('a sentence'),
    figures: v.optional(
      v.pipe(
        v.strictObject({
          demandHere: v.number(),
          demandThere: v.number(),
          progressHere: v.number(),
          progressThere: v.number(),
          horizonMs: v.number(),
          costMs: v.number(),
          gainMs: v.number(),
          neededMs: v.number(),
        }),
        v.description('demands in tasks, progress in standard CPUs for each task, times in milliseconds'),
      ),
    ),
    predicted: v.optional(number('of gained: how many times as fast it was to become')),
    came: v.optional(number('of gained: how many times as fast it became')),
    freezeMs: v.optional(number('for which it stood still, milliseconds')),
  }),
);
