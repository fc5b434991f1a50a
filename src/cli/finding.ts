/** What `mosix doctor` has found out about one thing. */
export interface Finding {
  what: string;
  /** `worse`: it works, but not as well. */
  state: 'ok' | 'worse' | 'missing';
  /** What was found, and if it is not well, what it costs or how to mend it. */
  text: string;
}

export const finding = (
  what: string,
  holds: boolean,
  texts: { ok: string; otherwise: string; worse?: boolean },
): Finding => ({
  what,
  state: holds ? 'ok' : texts.worse === true ? 'worse' : 'missing',
  text: holds ? texts.ok : texts.otherwise,
});
