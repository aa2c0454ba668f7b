import { readdir, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from './durable-files.ts';
import { isOver, runs } from './life.ts';

/** `<state>/run/replicas/<replica>.json`: what a serving replica says of itself about every second, and takes away at a clean end. */
export const replicaReport = z.object({
  replica: z.string(),
  url: z.string(),
  pid: z.number().int(),
  /** Where the pid means something. */
  host: z.string(),
  /** Which run of the replica this is. */
  life: z.string().optional(),
  atMs: z.number(),
  surfaces: z.record(
    z.string(),
    z.object({ generation: z.number().int(), refused: z.object({ generation: z.number().int(), problem: z.unknown() }).nullish() }),
  ),
});
export type ReplicaReport = z.infer<typeof replicaReport>;

const directoryOf = (root: string) => join(root, 'run', 'replicas');
const pathOf = (root: string, replica: string) => join(directoryOf(root), `${replica}.json`);

export async function writeReplicaReport(root: string, report: Omit<ReplicaReport, 'host'>): Promise<void> {
  await replaceFile(pathOf(root, report.replica), JSON.stringify({ ...report, host: hostname() }));
}

export async function readReplicaReport(root: string, replica: string): Promise<ReplicaReport | undefined> {
  try {
    return replicaReport.safeParse(JSON.parse(await readFile(pathOf(root, replica), 'utf8'))).data;
  } catch {
    return undefined;
  }
}

export async function removeReplicaReport(root: string, replica: string): Promise<void> {
  await rm(pathOf(root, replica), { force: true });
}

/** Reported within `withinMs`, and, where this process can tell, by a run that is not over. */
export function isLive(report: ReplicaReport, { nowMs, withinMs }: { nowMs: number; withinMs: number }): boolean {
  if (nowMs - report.atMs >= withinMs) return false;
  if (report.life !== undefined) return isOver(report.life) !== true;
  return report.host !== hostname() || runs(report.pid);
}

/** The last report of each replica that did not end cleanly, by name. */
export async function replicaReports(root: string): Promise<ReplicaReport[]> {
  const names = await readdir(directoryOf(root)).catch(() => []);
  const reports = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => readReplicaReport(root, name.slice(0, -'.json'.length))),
  );
  return reports.filter((report) => report !== undefined);
}

/** Replicas that report themselves alive, by name. One whose report is older than ten seconds is dead. */
export async function liveReplicas(root: string, nowMs: number): Promise<ReplicaReport[]> {
  return (await replicaReports(root)).filter((report) => isLive(report, { nowMs, withinMs: 10_000 }));
}
