import { setTimeout as delay } from 'node:timers/promises';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { isOver } from '../stores/life.ts';
import { isLive, readReplicaReport, removeReplicaReport, writeReplicaReport } from '../stores/replicas.ts';
import type { SurfaceStanding } from './watch-deployments.ts';

const everyMs = 1_000;
const freshMs = 5_000;

/** Says which generation this replica serves, for those who wait for it. */
export type Reporting = { changed(): void; close(): Promise<void> };
type Options = {
  stateDir: string;
  replica: string;
  url: string;
  pid: number;
  life: string;
  clock: () => number;
  standings: ReadonlyMap<string, SurfaceStanding>;
  log: (line: string) => void;
};

/** Resolves when the first report is there. */
export async function startReplicaReport({ stateDir, replica, url, pid, life, clock, standings, log }: Options): Promise<Reporting> {
  let writing: Promise<void> | undefined;
  let again = false;
  let failed = false;

  const write = async (): Promise<void> => {
    do {
      again = false;
      try {
        await writeReplicaReport(stateDir, { replica, url, pid, life, atMs: clock(), surfaces: Object.fromEntries(standings) });
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
      await removeReplicaReport(stateDir, replica);
    },
  };
}

/**
 * Two of one name would take each other's logs and reports for their own.
 * @throws UND-ENVIRONMENT when another of this name runs. Where that cannot be known (one in another container), it is waited for whether its report
 * moves or grows stale.
 */
export async function refuseTwins({ stateDir, replica, life, clock }: Pick<Options, 'stateDir' | 'replica' | 'life' | 'clock'>): Promise<void> {
  const first = await readReplicaReport(stateDir, replica);
  for (let other = first; other !== undefined && other.life !== life && isLive(other, { nowMs: clock(), withinMs: freshMs }); ) {
    const known = other.life === undefined ? other.pid !== process.pid : isOver(other.life) === false;
    if (known || other.atMs !== first?.atMs)
      throw new UnderstudyError(
        'UND-ENVIRONMENT',
        `A replica named ${replica} runs already, as process ${other.pid} on ${other.host}: give this one another name with UNDERSTUDY_REPLICA`,
      );
    // A report of before lives had names, by a process of this very number: the one before this in its container.
    if (other.life === undefined) return;
    await delay(200);
    other = await readReplicaReport(stateDir, replica);
  }
}
