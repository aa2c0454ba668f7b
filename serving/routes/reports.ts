import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import { report, type ReportAnswer, reportId, reportRequest } from '../../models/contracts/escalation.ts';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';
import { underPseudonym } from '../../models/contracts/pseudonyms.ts';
import type { GenerationStore } from '../../stores/generations.ts';
import { fileReport, readFiled } from '../../stores/report-inbox.ts';
import { answerOf, readReports } from '../../stores/reports.ts';
import { unknownSurface } from '../accept-events.ts';
import { createRateLimit } from '../rate-limit.ts';
import type { LiveSurface } from '../surface.ts';

export const reportMaxBytes = 16_384;
export const filedAnswer = z.strictObject({ id: reportId, link: z.string() });

export const openReportsAnswer = z.strictObject({ reports: z.array(report) });

type Options = { surfaces: ReadonlyMap<string, LiveSurface>; stateDir: string; generations: GenerationStore; clock: () => number };

/** Of one key, which may be a form's that many people use; and of one of those who say who they are. */
const perKey = { burst: 300, perMinute: 300 };
const perReporter = { burst: 20, perMinute: 10 };

/** POST /v1/reports: it is answered when the report is on disk. */
export function reportsRoute({ surfaces, stateDir, generations, clock }: Options): RequestHandler {
  const keyMay = createRateLimit(perKey);
  const reporterMay = createRateLimit(perReporter);
  return async (request, response) => {
    const nowMs = clock();
    if (!keyMay(senderOf(request), nowMs)) throw new UnderstudyError('UND-TOO-OFTEN', `More than ${perKey.perMinute} reports a minute with one key`);
    const parsed = reportRequest.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The report', parsed.error.issues);
    const { surface: name, reporter } = parsed.data;
    const surface = surfaces.get(name);
    if (surface === undefined) throw unknownSurface(name);
    const who = reporter.userId ?? reporter.contact;
    if (who !== undefined && !reporterMay(`${name}/${who}`, nowMs))
      throw new UnderstudyError('UND-TOO-OFTEN', `More than ${perReporter.perMinute} reports a minute of one person`);
    const known = underPseudonym(reporter, surface.snapshot.pseudonyms);
    const { id } = await fileReport({ root: stateDir, generations }, { ...parsed.data, reporter: known, nowMs });
    const link = `/v1/reports/${id}`;
    response
      .status(202)
      .location(link)
      .json({ id, link } satisfies z.infer<typeof filedAnswer>);
  };
}

/** GET /v1/reports/:id: how a report stands and what came of it, and nothing else. */
export function reportRoute({ surfaces, stateDir, generations }: Options): RequestHandler {
  return async (request, response) => {
    const id = reportId.safeParse(request.params.id);
    if (id.success)
      for (const surface of surfaces.keys()) {
        const of = { surface, id: id.data };
        const waits = async (): Promise<ReportAnswer | undefined> =>
          (await readFiled(stateDir, of)) === undefined ? undefined : { id: id.data, state: 'received', outcome: null };
        // Between the two it may be taken up.
        const found = (await answerOf(generations, of)) ?? (await waits()) ?? (await answerOf(generations, of));
        if (found !== undefined) return void response.json(found);
      }
    throw new UnderstudyError('UND-NOT-FOUND', 'There is no such report');
  };
}

/** GET /v1/admin/reports: those that wait for an answer, without what was said in them. */
export function openReportsRoute({ surfaces, generations }: Pick<Options, 'surfaces' | 'generations'>): RequestHandler {
  return async (_request, response) => {
    const reports = [];
    for (const name of surfaces.keys())
      reports.push(...(await readReports(generations, name)).filter(({ state }) => state === 'open' || state === 'acknowledged'));
    response.json({ reports } satisfies z.infer<typeof openReportsAnswer>);
  };
}

/** By its key, where it has one. */
function senderOf({ headers, socket }: Request): string {
  return createHash('sha256')
    .update(headers.authorization ?? `at ${socket.remoteAddress}`)
    .digest('base64');
}
