/** The form of what mosrun wishes for a job, from a user and in the file of jobs. */
import * as v from 'valibot';

/** Letters for a tag: it stands in tables and on command lines. */
const TAG = /^[\w.:+-]{1,32}$/;

export const tagSchema = v.pipe(v.string(), v.regex(TAG, 'a job tag is 1 to 32 letters, digits or . _ : + -'));

export const runOptionsSchema = v.strictObject({
  restrict: v.optional(v.string()),
  home: v.optional(v.boolean()),
  stay: v.optional(v.boolean()),
  job: v.optional(tagSchema),
  native: v.optional(v.boolean()),
  best: v.optional(v.boolean()),
  among: v.optional(v.array(v.string())),
  nodes: v.optional(v.array(v.string())),
  notNodes: v.optional(v.array(v.string())),
  freeMegabytes: v.optional(v.pipe(v.number(), v.minValue(0))),
  countCalls: v.optional(v.boolean()),
});
