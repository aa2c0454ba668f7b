import { resolve } from 'node:path';
import { Command } from 'commander';
import { findMlflow } from '../../bootstrap/mlflow.mjs';
import { cacheDirectory } from '../../bootstrap/paths.mjs';
import { findTemporal } from '../../bootstrap/temporal.mjs';
import { readEnvironment } from '../environment.ts';
import { someText } from '../option-values.ts';
import { emit, table } from '../output.ts';
import type { Check } from './check.ts';
import { checkLog } from './log.ts';
import { checkDisk, checkGpu, checkMlflow, checkNode, checkPorts, checkPython, checkStateDirectory, checkTemporal } from './machine.ts';
import { checkRunningSystem } from './running-system.ts';

/** Everything that a start needs and, where a system is up, each of its parts. Changes nothing. */
export async function examine({ stateDir, env, nodeVersion }: { stateDir: string; env: NodeJS.ProcessEnv; nodeVersion: string }): Promise<Check[]> {
  const known = readEnvironment(env);
  const where = { cache: cacheDirectory(env), env };
  const namespace = known.TEMPORAL_NAMESPACE;
  const checks = await Promise.all([
    checkNode(nodeVersion),
    checkPython(env),
    checkTemporal({ cli: known.UNDERSTUDY_TEMPORAL_CLI ?? findTemporal(where), address: known.TEMPORAL_ADDRESS, namespace, env }),
    checkMlflow({ python: known.UNDERSTUDY_MLFLOW_PYTHON ?? findMlflow(where), uri: known.MLFLOW_TRACKING_URI }),
    checkStateDirectory(stateDir),
    checkLog({ stateDir, kafka: known.kafka }),
    checkDisk(stateDir),
    checkPorts(),
    checkRunningSystem({ stateDir, namespace, env }),
    checkGpu(env),
  ]);
  return checks.flat();
}

/** `understudy doctor`, with paths relative to `cwd`. */
export function doctorCommandIn({ cwd, env, nodeVersion }: { cwd: string; env: NodeJS.ProcessEnv; nodeVersion: string }): Command {
  return new Command('doctor')
    .description('look at everything that a start needs, and at the system that is up: what is wrong, why, and what to do')
    .option('--state <dir>', 'state directory (default .understudy)', someText)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExit code 0 when nothing that is needed failed, 7 otherwise.')
    .action(async (options: { state?: string; json?: boolean }) => {
      const stateDir = resolve(env.UNDERSTUDY_CWD ?? cwd, options.state ?? env.UNDERSTUDY_STATE ?? '.understudy');
      const checks = await examine({ stateDir, env, nodeVersion });
      const healthy = checks.every((check) => check.state !== 'failed');
      emit({ json: options.json === true, document: { healthy, checks }, text: describe(checks, healthy) });
      if (!healthy) process.exitCode = 7;
    });
}

function describe(checks: readonly Check[], healthy: boolean): string {
  const remedies = checks.filter((check) => check.remedy !== null).map((check) => `  ${check.name}: ${check.remedy}`);
  return [
    table(
      ['part', 'state', 'found'],
      checks.map(({ name, state, found }) => [name, state === 'failed' ? 'FAILED' : state, found]),
    ),
    ...(remedies.length > 0 ? ['', 'What to do', ...remedies] : []),
    '',
    healthy ? 'Nothing that is needed is missing.' : 'Something that is needed is missing.',
  ].join('\n');
}
