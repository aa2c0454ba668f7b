import type { SectionCheck } from './section.ts';
import { access } from './sections/access.ts';
import { agreement } from './sections/agreement.ts';
import { alerts } from './sections/alerts.ts';
import { assumptions } from './sections/assumptions.ts';
import { coverage } from './sections/coverage.ts';
import { exposureBias } from './sections/exposure-bias.ts';
import { fairness } from './sections/fairness.ts';
import { feedbackLoop } from './sections/feedback-loop.ts';
import { drift } from './sections/drift.ts';
import { guardrails } from './sections/guardrails.ts';
import { releases } from './sections/releases.ts';
import { reports } from './sections/reports.ts';
import { retention } from './sections/retention.ts';

/** All sections of an audit, in the order of its report. */
export const sections: readonly SectionCheck[] = [
  assumptions,
  drift,
  agreement,
  fairness,
  feedbackLoop,
  coverage,
  exposureBias,
  guardrails,
  alerts,
  reports,
  retention,
  releases,
  access,
];
