/** What each command prints with `--json`, one object or list a line. docs/json is made of this (`npm run man`). */
import * as v from 'valibot';

import type {
  ClusterReport,
  EvacuationState,
  JobMoveResult,
  MosdHello,
  OrderState,
  TokenResult,
  WhyAnswer,
} from '../../wire/command_protocol.ts';
import { callList, count, decision, flag, namedProcess, node, number, pid, text } from './rows.ts';

export interface JsonOutput {
  /** The file's name in docs/json. */
  name: string;
  /** Command lines that print it. */
  printed: readonly string[];
  schema: v.GenericSchema;
}

/** The compiler checks that the schema accepts nothing but the type. */
function of<T>() {
  return <S extends v.GenericSchema<unknown, T>>(schema: S): S => schema;
}

const left = v.pipe(
  v.array(v.strictObject({ pid, why: text('a sentence') })),
  v.description('those that are still where they were'),
);
const errorAnswer = v.strictObject({
  ok: v.literal(false),
  pid: v.optional(pid),
  job: v.optional(text('its name')),
  to: v.optional(text('the node that was asked for, or home')),
  error: v.strictObject({ code: text('such as no-such-process, stays-home, busy'), message: text('a sentence') }),
});
const moved = v.strictObject({
  ok: v.literal(true),
  pid,
  started: v.optional(flag('it is on its way (--no-wait)')),
  to: v.optional(text('the node it went to')),
  from: v.optional(text('the node it came home from')),
  already: v.optional(flag('it was there already')),
  freezeMs: v.optional(number('for which it stood still, milliseconds')),
  totalMs: v.optional(number('milliseconds in all')),
  bytes: v.optional(number('that were sent')),
  threads: v.optional(count('its threads')),
  releasedBytes: v.optional(number('given back to this node (--release)')),
});
const jobMoved = v.strictObject({
  ok: flag('none stayed'),
  job: text('its name'),
  to: text('a node, or home'),
  ...of<JobMoveResult>()(v.strictObject({ moved: v.array(pid), stayed: left })).entries,
});
const hello = of<MosdHello>()(
  v.strictObject({
    node: text('this node'),
    pid: count('of mosd'),
    version: text('of mosd'),
    engineDown: v.optional(text('why the engine does not answer; absent while it does')),
  }),
);
const totals = v.strictObject({
  nodes: count('known'),
  alive: count('reached'),
  cpus: v.optional(v.number()),
  load: v.optional(number('mean, weighted by CPUs')),
  freeMemory: v.optional(number('bytes')),
  totalMemory: v.optional(number('bytes')),
  guests: v.optional(v.number()),
  away: v.optional(v.number()),
});

export const JSON_OUTPUTS: readonly JsonOutput[] = [
  {
    name: 'processes',
    printed: ['mosps --json'],
    schema: v.strictObject({
      node: text('this node'),
      away: v.pipe(v.array(namedProcess), v.description('processes of this node that are away or on the way')),
      home: v.pipe(v.array(namedProcess), v.description('of its jobs, at home')),
      returned: v.pipe(v.array(namedProcess), v.description('came home lately and still run')),
      guests: v.pipe(v.array(namedProcess), v.description('of other nodes, here')),
      nodes: v.array(node),
    }),
  },
  { name: 'nodes', printed: ['mosps --nodes --json'], schema: v.array(node) },
  { name: 'calls', printed: ['mosps --calls PID --json', 'mosix calls --json PID'], schema: callList },
  {
    name: 'why',
    printed: ['mosps --why PID --json'],
    schema: of<WhyAnswer>()(v.strictObject({ pid, last: v.optional(decision), events: v.array(decision) })),
  },
  { name: 'event', printed: ['mosix events --json'], schema: decision },
  {
    name: 'monitor',
    printed: ['mosmon --json'],
    schema: v.strictObject({
      node: text('this node'),
      nodes: v.array(
        v.looseObject({
          name: text('of the node'),
          state: v.picklist(['alive', 'suspect', 'dead', 'left', 'connecting']),
          load: v.optional(v.number()),
        }),
      ),
      processes: v.array(
        v.looseObject({ pid, comm: text('the program’s name'), where: text('a node'), home: text('a node') }),
      ),
      totals,
    }),
  },
  {
    name: 'move',
    printed: ['mosmigrate --json PID NODE', 'mosmigrate --json PID home', 'mosmigrate --json -J NAME NODE'],
    schema: v.union([moved, errorAnswer, jobMoved]),
  },
  {
    name: 'signalled',
    printed: ['moskillall --json'],
    schema: v.strictObject({ signal: text('such as SIGTERM'), jobs: v.array(pid), processes: v.array(pid) }),
  },
  {
    name: 'time',
    printed: ['mostimeof --json PID'],
    schema: v.strictObject({
      pid,
      homeMs: number('on this node'),
      awayMs: number('on other nodes'),
      totalMs: number('milliseconds of CPU time'),
    }),
  },
  { name: 'best', printed: ['mosbestnode --json'], schema: v.strictObject({ node: text('its name') }) },
  {
    name: 'orders',
    printed: ['mosctl --json status'],
    schema: of<OrderState>()(
      v.strictObject({
        stay: v.boolean(),
        lstay: v.boolean(),
        block: v.boolean(),
        closed: v.optional(text('why no guests may come')),
      }),
    ),
  },
  {
    name: 'evacuation',
    printed: ['mosctl --json expel', 'mosctl --json bring'],
    schema: of<EvacuationState>()(v.strictObject({ gone: v.number(), total: v.number(), left })),
  },
  {
    name: 'status',
    printed: ['mosix status --json'],
    schema: v.strictObject({
      ...hello.entries,
      nodes: v.array(node),
      away: count('programs of this node that are away'),
      guests: count('guests here'),
      jobs: count('yours'),
      processes: count('of these jobs'),
    }),
  },
  {
    name: 'findings',
    printed: ['mosix doctor --json'],
    schema: v.array(
      v.strictObject({
        what: text('was looked at'),
        state: v.picklist(['ok', 'worse', 'missing']),
        text: text('what was found, what it costs, or how to mend it'),
      }),
    ),
  },
  {
    name: 'attached',
    printed: ['mosix attach --json PID'],
    schema: v.strictObject({
      ok: v.literal(true),
      pid,
      from: v.optional(text('the node it came from; absent: it was at home')),
    }),
  },
  {
    name: 'token',
    printed: ['mosix token --json'],
    schema: of<TokenResult>()(
      v.strictObject({ token: text('for mosix join'), expires: number('milliseconds since 1970') }),
    ),
  },
  { name: 'cluster', printed: ['mosix cluster --json'], schema: clusterSchema() },
];

function clusterSchema() {
  const report = of<ClusterReport>()(
    v.strictObject({
      cluster: text('its name'),
      version: count('of the charter'),
      issuer: text('the node that holds the authority'),
      issuesHere: flag('it is this node'),
      authorities: v.pipe(v.array(v.string()), v.description('SHA-256 of their certificates')),
      expires: number('when this node’s certificate ends, milliseconds since 1970'),
      revoked: flag('this node has been revoked'),
      revocations: v.array(v.strictObject({ node: v.string(), at: number('milliseconds since 1970') })),
      settings: v.strictObject({
        guestLinks: v.picklist(['encrypted', 'clear']),
        users: v.picklist(['shared', 'separate']),
        certificateDays: v.number(),
      }),
      unrenewed: v.pipe(v.array(v.string()), v.description('nodes without a certificate of the new authority')),
    }),
  );
  return v.strictObject({ ...report.entries, nodes: v.array(node) });
}
