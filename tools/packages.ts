/** Installs what the tests compile their C programs with, where it is missing: without it many tests are skipped. */
import { withoutGcc } from '../src/sys/testing/c_program.ts';
import { installPackages } from '../test/suite/packages.ts';

const missing = withoutGcc === false ? [] : installPackages(['gcc', 'libc6-dev']);
if (missing.length > 0) console.log(`skipped: what needs gcc: ${missing.join(' ')} cannot be installed`);
