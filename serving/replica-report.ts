import { UnderstudyError } from '../models/contracts/problem.ts';
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
  clock: () => number;
  standings: ReadonlyMap<string, SurfaceStanding>;
  log: (line: string) => void;
};

/** Resolves when the first report is there. */
export async function startReplicaReport({ stateDir, replica, url, pid, clock, standings, log }: Options): Promise<Reporting> {
  let writing: Promise<void> | undefined;
  let again = false;
  let failed = false;

  const write = async (): Promise<void> => {
    do {
      again = false;
      try {
        await writeReplicaReport(stateDir, { replica, url, pid, atMs: clock(), surfaces: Object.fromEntries(standings) });
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

/** @throws UND-ENVIRONMENT when another living process goes by the same name: two of one name would write one log. */
export async function refuseTwins({ stateDir, replica, pid, clock }: Pick<Options, 'stateDir' | 'replica' | 'pid' | 'clock'>): Promise<void> {
  const other = await readReplicaReport(stateDir, replica);
  if (other === undefined || other.pid === pid || !isLive(other, { nowMs: clock(), withinMs: freshMs })) return;
  throw new UnderstudyError(
    'UND-ENVIRONMENT',
    `A replica named ${replica} runs already, as process ${other.pid}: give this one another name with UNDERSTUDY_REPLICA`,
  );
}
