import { fork } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ParityRecord } from '../../models/contracts/artifact.ts';
import { type ProblemCode, UnderstudyError } from '../../models/contracts/problem.ts';

export type TrialOrder = { path: string; itemCount: number; maxHistory: number };
export type TrialResult = { record: ParityRecord } | { error: { code: ProblemCode; message: string } };

/** Loading a graph of 2 GiB takes seconds, and its dozen answers milliseconds each. */
const usualTimeoutMs = 60_000;
const program = fileURLToPath(new URL('./guest-trial.ts', import.meta.url));

/**
 * What a guest's graph answers to fixed requests, asked in a process of its own that knows no secret and is killed where it takes too long.
 * @throws UND-ARTIFACT where the graph cannot be loaded, fails, does not obey, does not end, or ends the process
 */
export async function tryGuest({ timeoutMs = usualTimeoutMs, ...order }: TrialOrder & { timeoutMs?: number }): Promise<ParityRecord> {
  const child = fork(program, { execArgv: [], env: {}, cwd: tmpdir(), stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  let timer: NodeJS.Timeout | undefined;
  try {
    const result = await new Promise<TrialResult>((resolve) => {
      const refuse = (message: string) => resolve({ error: { code: 'UND-ARTIFACT', message } });
      timer = setTimeout(() => refuse(`The graph did not answer within ${timeoutMs / 1000} s`), timeoutMs);
      child.once('message', (message) => resolve(message as TrialResult));
      child.once('error', ({ message }) => refuse(`The graph could not be tried: ${message}`));
      child.once('exit', (code, signal) => refuse(`The graph ended the process that tried it (${signal ?? `exit code ${code}`})`));
      child.send(order, () => {});
    });
    if ('error' in result) throw new UnderstudyError(result.error.code, result.error.message);
    return result.record;
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}
