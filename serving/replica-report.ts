import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { replaceFile } from '../stores/durable-files.ts';
import type { SurfaceStanding } from './watch-deployments.ts';

const everyMs = 1_000;
const freshMs = 5_000;

/** `<state>/run/replicas/<replica>.json`: which generation this replica serves, for those who wait for it. Taken away at a clean end. */
export type ReplicaReport = { changed(): void; close(): Promise<void> };
type Options = {
  stateDir: string;
  replica: string;
  url: string;
  pid: number;
  clock: () => number;
  standings: ReadonlyMap<string, SurfaceStanding>;
  log: (line: string) => void;
};

const pathOf = (stateDir: string, replica: string) => join(stateDir, 'run', 'replicas', `${replica}.json`);

/** Resolves when the first report is there. */
export async function startReplicaReport({ stateDir, replica, url, pid, clock, standings, log }: Options): Promise<ReplicaReport> {
  const path = pathOf(stateDir, replica);
  let writing: Promise<void> | undefined;
  let again = false;
  let failed = false;

  const write = async (): Promise<void> => {
    do {
      again = false;
      const report = { replica, url, pid, atMs: clock(), surfaces: Object.fromEntries(standings) };
      try {
        await replaceFile(path, JSON.stringify(report));
        failed = false;
      } catch (error) {
        if (!failed) log(`The replica's report cannot be written: ${error instanceof Error ? error.message : error}`);
        failed = true;
      }
    } while (again);
    writing = undefined;
  };
  const changed = (): void => {
    again = true;
    writing ??= write();
  };
  changed();
  await writing;
  const timer = setInterval(changed, everyMs);
  return {
    changed,
    async close() {
      clearInterval(timer);
      await writing;
      await rm(path, { force: true });
    },
  };
}

const claim = z.object({ pid: z.number().int(), atMs: z.number() });

/** @throws UND-ENVIRONMENT when another living process goes by the same name: two of one name would write one log. */
export async function refuseTwins({ stateDir, replica, pid, clock }: Pick<Options, 'stateDir' | 'replica' | 'pid' | 'clock'>): Promise<void> {
  const text = await readFile(pathOf(stateDir, replica), 'utf8').catch(() => undefined);
  const parsed = claim.safeParse(text === undefined ? undefined : safeJson(text));
  if (!parsed.success || parsed.data.pid === pid || clock() - parsed.data.atMs > freshMs || !isAlive(parsed.data.pid)) return;
  throw new UnderstudyError(
    'UND-ENVIRONMENT',
    `A replica named ${replica} runs already, as process ${parsed.data.pid}: give this one another name with UNDERSTUDY_REPLICA`,
  );
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
