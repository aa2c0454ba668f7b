import { readSystemFile } from '../system-file.ts';
import { answers, temporalAnswers } from '../system/start-servers.ts';
import { isAlive } from '../system/processes.ts';
import { type Check, failed, note, ok } from './check.ts';

/** The system that was started with the state directory, if one was: does each part answer? */
export async function checkRunningSystem({ stateDir, namespace, env }: { stateDir: string; namespace: string; env?: NodeJS.ProcessEnv }): Promise<Check[]> {
  const system = await readSystemFile(stateDir);
  if (system === undefined) return [note('system', 'none is up', 'Start it with `npm start`.')];
  if (!isAlive(system.pid))
    return [
      failed(
        'system',
        `the process that started it (${system.pid}) is gone`,
        'Start again with `npm start`: it stops what was left and goes on from the state.',
      ),
    ];
  const [serving, temporal, mlflow] = await Promise.all([
    answers(`${system.servingUrl}/readyz`, { timeoutMs: 5_000 }),
    temporalAnswers({ address: system.temporalAddress, namespace, timeoutMs: 5_000, env }),
    answers(`${system.mlflowUrl.replace(/\/+$/, '')}/health`, { timeoutMs: 5_000 }),
  ]);
  const look = (log: string) => `It is started again by itself; look at ${stateDir}/run/${log}.log.`;
  return [
    ok('system', `up since process ${system.pid} started it`),
    serving
      ? ok('system: serving', `${system.servingUrl} is ready`)
      : failed('system: serving', `${system.servingUrl}/readyz does not say that it is ready`, look('serving')),
    temporal
      ? ok('system: temporal', `${system.temporalAddress} answers`)
      : failed('system: temporal', `${system.temporalAddress} does not answer`, look('temporal')),
    mlflow ? ok('system: mlflow', `${system.mlflowUrl} answers`) : failed('system: mlflow', `${system.mlflowUrl} does not answer`, look('mlflow')),
  ];
}
