import { z } from 'zod';
import { reportId, reportStep } from './escalation.ts';
import { epochMs, externalId, surfaceName } from './ids.ts';
import { vote } from './release.ts';

const surface = surfaceName;
const by = z.string().trim().min(1).max(128);
const why = z.string().trim().min(1).max(1_000);

/** What somebody asks the workers to do over HTTP. Each is what the command line's command of that name does, under the same rules. */
export const orderOf = z.discriminatedUnion('do', [
  /** On a release that waits for a decision. */
  z.strictObject({ do: z.literal('vote'), surface, vote }),
  /** On the mend of a root cause. `id`: as `GET /v1/admin/root-causes` has it. */
  z.strictObject({ do: z.literal('decide-mend'), id: z.string().regex(/^root-cause\/[^/]{1,100}\/[^/]{1,200}\/[0-9a-f]{8}$/), vote }),
  z.strictObject({ do: z.literal('report-step'), surface, report: reportId, step: reportStep }),
  z.strictObject({
    ...{ do: z.literal('follow-finding'), surface, finding: z.string().min(1).max(200), by, what: why, owner: by.optional() },
    /** It is accepted that it does not hold, until then. */
    acceptUntilMs: epochMs.optional(),
  }),
  z.strictObject({ do: z.literal('silence'), surface, alert: z.string().min(1).max(200), by, why, untilMs: epochMs }),
  z.strictObject({ do: z.enum(['abort', 'rollback', 'pause', 'resume']), surface, by, why }),
  z.strictObject({ do: z.enum(['audit', 'watch']), surface, by }),
  z.strictObject({ do: z.literal('retrain'), surface, by, candidates: z.array(z.string().min(1).max(64)).min(1).max(50).optional() }),
  z.strictObject({ do: z.literal('root-cause'), surface, by, fromMs: epochMs, toMs: epochMs, promotion: z.string().min(1).max(200).nullable().default(null) }),
  /** Why this was shown. */
  z.strictObject({ do: z.literal('explain'), requestId: externalId }),
]);
export type Order = z.output<typeof orderOf>;

/** POST /v1/admin/orders. The same order with the same `operationId`, sent again, is the same order. */
export const orderRequest = z.strictObject({ order: orderOf, operationId: externalId.optional() });

export const orderId = z.string().regex(/^o-[0-9a-f]{32}$/, 'o- and 32 hex digits');
export const filedOrder = z.strictObject({ kind: z.literal('order'), id: orderId, order: orderOf, filedAtMs: epochMs });
export type FiledOrder = z.output<typeof filedOrder>;

/** How an order stands: it waits for a worker, was done, or was refused. */
export const orderAnswer = z.discriminatedUnion('state', [
  z.strictObject({ id: orderId, state: z.literal('waiting') }),
  z.strictObject({ id: orderId, state: z.literal('done'), atMs: epochMs, result: z.unknown() }),
  z.strictObject({ id: orderId, state: z.literal('refused'), atMs: epochMs, problem: z.looseObject({ code: z.string(), detail: z.string() }) }),
]);
export type OrderAnswer = z.output<typeof orderAnswer>;
