/** The house's own checks: what no linter knows. */
import { root } from '../paths.mjs';
import { checkDirections } from './directions.mjs';
import { checkErrors, readProblems } from './errors-doc.mjs';
import { checkLinks } from './links.mjs';
import { checkPurity } from './purity.mjs';
import { checkSizes } from './ratchet.mjs';

const problems = [...checkDirections(root), ...checkPurity(root), ...checkErrors(root, await readProblems(root)), ...checkLinks(root), ...checkSizes(root)];
for (const problem of problems) process.stdout.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
