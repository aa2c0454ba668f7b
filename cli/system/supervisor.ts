import { readFileSync, renameSync, rmSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { commandLineOf, isAlive, until } from './processes.ts';

const supervisorFile = z.object({ pid: z.number().int().positive(), parent: z.number().int(), commandLine: z.string() });

const pathOf = (runDir: string) => join(runDir, 'supervisor.json');

/**
 * One system a state directory: two would write the same databases. One whose own parent was killed is an orphan that nobody can
 * reach by Ctrl-C any more: it is asked to stop first.
 * @returns what gives the claim back
 * @throws UND-SETUP when another one is up
 */
export async function claimStateDirectory({ stateDir, runDir, say }: { stateDir: string; runDir: string; say: (line: string) => void }): Promise<() => void> {
  mkdirSync(runDir, { recursive: true });
  const other = readSupervisor(runDir);
  if (other !== undefined && other.pid !== process.pid && isAlive(other.pid) && commandLineOf(other.pid) === other.commandLine) {
    if (isAlive(other.parent))
      throw new UnderstudyError(
        'UND-SETUP',
        `A system is up already with the state directory ${stateDir} (process ${other.pid}): stop it first, or name another directory with --state`,
      );
    say(`stopping the system that a killed start left (process ${other.pid})`);
    process.kill(other.pid, 'SIGTERM');
    if (!(await until(() => !isAlive(other.pid), { withinMs: 30_000, everyMs: 50 }))) process.kill(other.pid, 'SIGKILL');
  }
  const mine = JSON.stringify({ pid: process.pid, parent: process.ppid, commandLine: commandLineOf(process.pid) ?? '' });
  writeFileSync(`${pathOf(runDir)}.new`, mine);
  renameSync(`${pathOf(runDir)}.new`, pathOf(runDir));
  return () => {
    if (readSupervisor(runDir)?.pid === process.pid) rmSync(pathOf(runDir), { force: true });
  };
}

function readSupervisor(runDir: string) {
  try {
    return supervisorFile.parse(JSON.parse(readFileSync(pathOf(runDir), 'utf8')));
  } catch {
    return undefined;
  }
}
