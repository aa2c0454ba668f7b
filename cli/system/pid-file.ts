import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { commandLineOf, isAlive, stopGroup } from './processes.ts';

const pidFile = z.object({ name: z.string(), pid: z.number().int().min(2), commandLine: z.string() });

export const runDirectory = (stateDir: string) => join(stateDir, 'run');
const suffix = '.pid.json';

export function writePidFile({ runDir, name, pid, args }: { runDir: string; name: string; pid: number; args: readonly string[] }): void {
  mkdirSync(runDir, { recursive: true });
  const path = join(runDir, `${name}${suffix}`);
  writeFileSync(`${path}.new`, `${JSON.stringify({ name, pid, commandLine: args.join(' ') })}\n`);
  renameSync(`${path}.new`, path);
}

export function removePidFile({ runDir, name }: { runDir: string; name: string }): void {
  rmSync(join(runDir, `${name}${suffix}`), { force: true });
}

/**
 * Stops what a supervisor left that was killed. A process counts as ours only when it runs what its file says, for ids are used
 * again; a group whose leader is gone keeps its id from being used, so its members are ours.
 * @returns the names of what was stopped
 */
export async function stopLeftovers({ runDir, graceMs = 10_000 }: { runDir: string; graceMs?: number }): Promise<string[]> {
  const stopped = await Promise.all(
    pidFiles(runDir).map(async ({ path, entry }) => {
      const ours = entry !== undefined && (isAlive(entry.pid) ? commandLineOf(entry.pid)?.endsWith(entry.commandLine) === true : isAlive(-entry.pid));
      if (ours) await stopGroup(entry.pid, { graceMs });
      rmSync(path, { force: true });
      return ours ? [entry.name] : [];
    }),
  );
  return stopped.flat();
}

function pidFiles(runDir: string) {
  let names: string[];
  try {
    names = readdirSync(runDir).filter((name) => name.endsWith(suffix));
  } catch {
    return [];
  }
  return names.map((name) => {
    const path = join(runDir, name);
    try {
      return { path, entry: pidFile.parse(JSON.parse(readFileSync(path, 'utf8'))) };
    } catch {
      return { path, entry: undefined };
    }
  });
}
