/** mosenv: MOSIX's mosrun is installed set-user-ID, so that the loader drops variables, which its mosenv brings back. Ours is not. */
import { mosrun } from './mosrun.ts';

export const mosenv = {
  ...mosrun,
  name: 'mosenv',
  verb: 'env',
  sameAs: 'mosrun',
  summary: 'the same as mosrun, which keeps all environment variables',
};
