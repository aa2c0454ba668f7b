import { orderAnswer, orderRequest } from '../../models/contracts/order.ts';
import { alertsAnswer, drainAnswer, forgetAnswer, sealAnswer } from './answers.ts';
import { auditsAnswer, rootCausesAnswer } from './decisions.ts';
import { drainRequest, forgetRequest, sealRequest } from './operations.ts';
import { openReportsAnswer } from './reports.ts';
import type { RouteInfo } from './route-info.ts';

/** Of those who run the system, and of its workers. */
export const adminRoutes = {
  seal: {
    method: 'post',
    path: '/v1/admin/seal',
    summary: 'Seal the logs of a surface',
    description: 'Ends the open segments of the event log and of the slate log, so that the pipeline can read them as immutable.',
    access: 'admin',
    body: { schema: sealRequest, example: { surface: 'home' }, maxBytes: 4_096 },
    answer: { description: 'The sealed segments; null where nothing was open', schema: sealAnswer },
    problems: ['UND-INPUT', 'UND-JSON', 'UND-TOO-LARGE', 'UND-UNKNOWN-SURFACE', 'UND-UNAUTHORIZED', 'UND-LOG-UNAVAILABLE'],
  },
  forget: {
    method: 'post',
    path: '/v1/admin/forget',
    summary: 'Forget people',
    description:
      'Ids as the surface keeps them. What this replica remembers of these users, sessions and devices is gone; its logs are erased by the pipeline.',
    access: 'admin',
    body: { schema: forgetRequest, example: { surface: 'home', userIds: ['u-1'], sessionIds: [], deviceIds: [] }, maxBytes: 1_048_576 },
    answer: { description: 'How many ids it was told', schema: forgetAnswer },
    problems: ['UND-INPUT', 'UND-JSON', 'UND-TOO-LARGE', 'UND-UNKNOWN-SURFACE', 'UND-UNAUTHORIZED'],
  },
  openReports: {
    method: 'get',
    path: '/v1/admin/reports',
    summary: 'Reports that wait for an answer',
    description: 'Of all surfaces: whose they are, until when, and all that was done about them; without what was said in them.',
    access: 'admin',
    answer: { description: 'Oldest first, surface by surface', schema: openReportsAnswer },
    problems: ['UND-UNAUTHORIZED'],
  },
  orders: {
    method: 'post',
    path: '/v1/admin/orders',
    summary: 'Ask the workers to do something',
    description:
      'What the command line does: `vote` on a release, `decide-mend` of a root cause, `report-step`, `follow-finding`, `silence` an alert, `abort`, `rollback`, `pause`, `resume`, `retrain`, `audit`, `watch`, `root-cause`, `explain` a request. The same rules hold: who may decide, and whose word must be signed (`proof`). It is on disk when it is answered, and taken by a worker within the second; 202 says that it still waits. The same order with the same `operationId` is done once.',
    access: 'admin',
    body: {
      schema: orderRequest,
      example: { order: { do: 'pause', surface: 'home', by: 'ann', why: 'a sale begins' }, operationId: 'pause-1' },
      maxBytes: 65_536,
    },
    answer: { description: 'What came of it', schema: orderAnswer },
    also: { 202: 'it waits for a worker' },
    problems: ['UND-INPUT', 'UND-JSON', 'UND-TOO-LARGE', 'UND-UNAUTHORIZED', 'UND-OVERLOADED'],
  },
  order: {
    method: 'get',
    path: '/v1/admin/orders/:id',
    summary: 'What came of an order',
    description: 'It waits, was done, or was refused. Answers are kept for a quarter of an hour; what was decided stands in the ledger.',
    access: 'admin',
    answer: { description: 'How it stands', schema: orderAnswer },
    problems: ['UND-NOT-FOUND', 'UND-UNAUTHORIZED'],
  },
  audits: {
    method: 'get',
    path: '/v1/admin/audits',
    summary: 'The newest audits, and what they found',
    description: 'Of each surface that was audited: the report, with pictures left to the command line, and its findings as they stand now.',
    access: 'admin',
    answer: { description: 'One a surface', schema: auditsAnswer },
    problems: ['UND-UNAUTHORIZED'],
  },
  rootCauses: {
    method: 'get',
    path: '/v1/admin/root-causes',
    summary: 'Looks at root causes',
    description:
      'Of each surface the newest looks: the cause, the mend, how each stands, and the digest of its diagnosis, which a decision names as `evidence`.',
    access: 'admin',
    answer: { description: 'Newest first, surface by surface', schema: rootCausesAnswer },
    problems: ['UND-UNAUTHORIZED'],
  },
  alerts: {
    method: 'get',
    path: '/v1/admin/alerts',
    summary: 'Alerts that are open',
    description: 'What `understudy watch` found unlike the weeks before, on all surfaces, with value, expectation, picture and silence.',
    access: 'admin',
    answer: { description: 'Newest first, surface by surface', schema: alertsAnswer },
    problems: ['UND-UNAUTHORIZED'],
  },
  drain: {
    method: 'post',
    path: '/v1/admin/drain',
    summary: 'Take this replica out of traffic',
    description:
      'As SIGTERM does: from now on /readyz says draining and no new connection is taken; what is under way is answered, the logs are sealed, and the process ends. Whoever watches over it may start it again.',
    access: 'admin',
    body: { schema: drainRequest, example: {}, maxBytes: 4_096 },
    answer: { description: 'It drains', schema: drainAnswer },
    problems: ['UND-INPUT', 'UND-JSON', 'UND-TOO-LARGE', 'UND-UNAUTHORIZED'],
  },
} as const satisfies Record<string, RouteInfo>;
