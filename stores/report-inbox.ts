import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestJson } from '../models/contracts/digest.ts';
import { type FiledReport, filedReport, type ReportRequest, reportId, type Severity } from '../models/contracts/escalation.ts';
import { surfaceName } from '../models/contracts/ids.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { createExclusive, makeDirectory } from './durable-files.ts';
import type { GenerationStore } from './generations.ts';
import { latestReport } from './reports.ts';

/*
 * `<state>/reports/<surface>/<id>.json`: a report from when it is filed until its workflow has it, seconds later. So whoever takes reports needs no Temporal, and
 * what is accepted is on disk. What is about people goes from here into a blob, where an erasure finds it.
 */

const folderOf = (root: string, surface: string) => join(root, 'reports', surfaceName.parse(surface));
const pathOf = (root: string, { surface, id }: Of) => join(folderOf(root, surface), `${reportId.parse(id)}.json`);

/** So many may wait for their workflows. */
const waitingAtMost = 10_000;

type Of = { surface: string; id: string };
type Stores = { root: string; generations: GenerationStore };

/**
 * Takes in a report: it is durable once this has resolved, and a worker starts its workflow within seconds. The same request with the same `operationId` is the
 * same report.
 * @throws UND-OVERLOADED while too many wait
 */
export async function fileReport(
  { root, generations }: Stores,
  { operationId, ...request }: ReportRequest & { severity?: Severity | null; nowMs: number },
): Promise<{ id: string }> {
  const { nowMs, severity = null, ...asked } = request;
  const { surface } = asked;
  const id = operationId === undefined ? `r-${randomBytes(16).toString('hex')}` : `r-${digestJson({ operationId, severity, ...asked }).slice(7, 39)}`;
  if ((await latestReport(generations, { surface, id })) !== undefined) return { id };
  const folder = folderOf(root, surface);
  await makeDirectory(folder);
  await chmod(join(root, 'reports'), 0o700);
  if ((await readdir(folder)).length >= waitingAtMost)
    throw new UnderstudyError('UND-OVERLOADED', `${waitingAtMost} reports of ${surface} wait to be taken up`);
  const filed: FiledReport = filedReport.parse({ ...asked, id, severity, filedAtMs: nowMs });
  await createExclusive(pathOf(root, { surface, id }), JSON.stringify(filed));
  return { id };
}

/** Undefined once its workflow has it. */
export async function readFiled(root: string, of: Of): Promise<FiledReport | undefined> {
  const text = await readFile(pathOf(root, of), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : filedReport.parse(JSON.parse(text));
}

export const removeFiled = (root: string, of: Of): Promise<void> => rm(pathOf(root, of), { force: true });

/** Reports that wait for their workflows. */
export async function waitingReports(root: string): Promise<Of[]> {
  const waiting: Of[] = [];
  for (const surface of await readdir(join(root, 'reports')).catch(() => []))
    for (const file of await readdir(folderOf(root, surface)).catch(() => []))
      if (/^r-[0-9a-f]{32}\.json$/.test(file)) waiting.push({ surface, id: file.slice(0, -'.json'.length) });
  return waiting;
}
