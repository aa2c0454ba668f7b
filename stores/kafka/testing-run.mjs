/**
 * `npm run test:kafka`: runs the tests that need a broker, on the one that UNDERSTUDY_TEST_KAFKA names or on one that is started for them, from any Node from
 * 20 on. Arguments are vitest's.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { checkNode, ensureDependencies, pinnedNode } from '../../bootstrap/dependencies.mjs';
import { ensureKafka } from '../../bootstrap/kafka.mjs';
import { cacheDirectory, root } from '../../bootstrap/paths.mjs';
import { withOwnPrograms, withoutOwnPrograms } from '../../bootstrap/plan.mjs';
import { reportProblem } from '../../bootstrap/problem.mjs';
import { Progress } from '../../bootstrap/progress.mjs';

const progress = new Progress();
try {
  checkNode();
  const cache = cacheDirectory(process.env);
  const env = withoutOwnPrograms(root, process.env);
  await ensureDependencies({ root, cache, env, progress });
  if (!env.UNDERSTUDY_TEST_KAFKA) await ensureKafka({ cache, env, progress });
  progress.stop();
  const vitest = [join('node_modules', 'vitest', 'vitest.mjs'), 'run', '--config', join('stores', 'kafka', 'testing-config.ts'), ...process.argv.slice(2)];
  const child = spawn(pinnedNode(root), vitest, { cwd: root, env: withOwnPrograms(root, env), stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) process.on(signal, () => void child.kill(signal));
  const [code] = await once(child, 'exit');
  process.exitCode = code ?? 1;
} catch (error) {
  progress.stop();
  process.exitCode = reportProblem(error, { json: false });
}
