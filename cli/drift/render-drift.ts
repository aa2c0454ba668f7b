import { driftPicture } from '../../experiments/drift/drift-picture.ts';
import { escaped } from '../../experiments/pictures/svg.ts';
import type { DriftReport } from '../../models/contracts/drift.ts';
import { describeDrift } from './describe-drift.ts';

const style =
  'body { font: 15px/1.5 system-ui, sans-serif; color: #111827; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; } svg { max-width: 100%; height: auto; } pre { overflow-x: auto; }';

/** One page, with nothing loaded from elsewhere. */
export function renderDrift(report: DriftReport): string {
  const title = escaped(`Drift of ${report.surface}, ${new Date(report.atMs).toISOString()}`);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title><style>${style}</style></head><body>
<h1>${title}</h1>
${driftPicture(report)}
<pre>${escaped(describeDrift(report))}</pre>
</body></html>
`;
}
