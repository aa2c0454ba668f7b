import { z } from 'zod';
import { alert, silence } from '../../models/contracts/alert.ts';
import { canarySpec } from '../../models/contracts/deployment.ts';
import { digestString, externalId, surfaceName } from '../../models/contracts/ids.ts';
import { type ProblemCode, problems } from '../../models/contracts/problem.ts';

/** What the routes answer, for the interface document; a test holds the answers against it. */

export const problemDetails = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.enum(Object.keys(problems) as [ProblemCode, ...ProblemCode[]]),
    remedy: z.string().describe('What to do'),
    mistakes: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
    moreMistakes: z.number().int().optional().describe('How many more there are than are named'),
    requestId: z.string().optional(),
  })
  .describe('RFC 9457 problem details');

const count = z.number().int().min(0);
export const eventsAnswer = z.strictObject({
  accepted: count,
  duplicate: count,
  quarantined: count,
  withheld: count,
  rejected: count,
  results: z.array(
    z.strictObject({
      eventId: z.string().nullable(),
      status: z.enum(['accepted', 'duplicate', 'quarantined', 'withheld', 'rejected']),
      reason: z.string().optional(),
      problem: problemDetails.optional(),
    }),
  ),
});

/** `generation`: number of the change among the surface's flags, or of the one that a request with this operation id wrote before. */
export const flagsAnswer = z.strictObject({ surface: surfaceName, generation: count, items: count });

export const schemasAnswer = z.strictObject({
  schemas: z.array(z.strictObject({ name: z.string(), version: count, title: z.string(), path: z.string() })),
});

const sealedSegment = z.strictObject({ name: z.string(), digest: digestString, records: count, bytes: count }).nullable();
export const sealAnswer = z.strictObject({ surface: surfaceName, events: sealedSegment, slates: sealedSegment });

export const forgetAnswer = z.strictObject({ surface: surfaceName, forgotten: count });

const refused = z.strictObject({ generation: count, problem: problemDetails });
export const surfaceAnswer = z.strictObject({
  surface: surfaceName,
  title: z.string(),
  generation: count,
  champion: digestString,
  challenger: digestString.nullable(),
  rivals: z.array(digestString).optional(),
  canary: canarySpec.nullable(),
  paused: z.boolean(),
  charter: digestString,
  catalog: digestString,
  rulesDigest: digestString,
  itemsInScope: count,
  slateSize: count,
  modelsLoaded: z.array(digestString),
  modelThreads: count,
  refused: refused.nullable(),
});

export const aliveAnswer = z.strictObject({ status: z.literal('alive') });

export const drainAnswer = z.strictObject({ replica: externalId, draining: z.literal(true) });

export const readinessAnswer = z.strictObject({
  status: z.enum(['ready', 'degraded', 'not-ready', 'draining']),
  surfaces: z.record(
    surfaceName,
    z.strictObject({ generation: count, modelThreads: count, refused: refused.optional(), unreadable: z.literal(true).optional() }),
  ),
  troubles: z.array(z.string()),
});

export const alertsAnswer = z.strictObject({ alerts: z.array(alert.extend({ silence: silence.nullable() })) });
