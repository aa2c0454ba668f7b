import type { SectionCheck } from './section.ts';
import { access } from './sections/access.ts';
import { agreement } from './sections/agreement.ts';
import { alerts } from './sections/alerts.ts';
import { assumptions } from './sections/assumptions.ts';
import { drift } from './sections/drift.ts';
import { guardrails } from './sections/guardrails.ts';
import { releases } from './sections/releases.ts';
import { reports } from './sections/reports.ts';
import { retention } from './sections/retention.ts';

/** All sections of an audit, in the order of its report. */
export const sections: readonly SectionCheck[] = [assumptions, drift, agreement, guardrails, alerts, reports, retention, releases, access];
