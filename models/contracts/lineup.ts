import { z } from 'zod';
import { digestString, externalId, machineName, surfaceName } from './ids.ts';
import { challengersAtMost } from './deployment.ts';
import { releaseIntent } from './report.ts';

/** The evidence on several challengers that share a release: what is voted on is this document, and by it each one's report. */
export const lineup = z.strictObject({
  kind: z.literal('lineup'),
  surface: surfaceName,
  releaseId: externalId,
  contenders: z
    .array(z.strictObject({ candidate: machineName, artifact: digestString, runId: externalId, intent: releaseIntent, report: digestString }))
    .min(2)
    .max(challengersAtMost),
});
export type Lineup = z.infer<typeof lineup>;
