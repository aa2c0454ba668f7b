import type { RequestHandler } from 'express';
import { z } from 'zod';
import { auditReport, findingList } from '../../models/contracts/audit.ts';
import { type GenerationStore, parseGeneration } from '../../stores/generations.ts';
import { causeLook, causeLooks } from '../../stores/cause-looks.ts';
import type { LiveSurface } from '../surface.ts';

type Options = { surfaces: ReadonlyMap<string, LiveSurface>; generations: GenerationStore };

const looksAtMost = 50;

export const auditsAnswer = z.strictObject({ audits: z.array(z.strictObject({ report: auditReport, findings: findingList.shape.findings })) });
export const rootCausesAnswer = z.strictObject({ looks: z.array(causeLook) });

/** GET /v1/admin/audits: the newest report of each surface, and its findings as people have followed them up. */
export function auditsRoute({ surfaces, generations }: Options): RequestHandler {
  return async (_request, response) => {
    const audits: z.output<typeof auditsAnswer>['audits'] = [];
    for (const name of surfaces.keys()) {
      const series = `audit/${name}`;
      const latest = await generations.latest(series);
      if (latest === undefined) continue;
      const report = parseGeneration(auditReport, { series, ...latest });
      const found = await generations.latest(`findings/${name}`);
      const findings = found === undefined ? [] : parseGeneration(findingList, { series: `findings/${name}`, ...found }).findings;
      audits.push({ report, findings });
    }
    response.json({ audits });
  };
}

/** GET /v1/admin/root-causes: what was looked into, as the ledger has it. */
export function rootCausesRoute({ surfaces, generations }: Options): RequestHandler {
  return async (_request, response) => {
    const looks: z.output<typeof causeLook>[] = [];
    for (const name of surfaces.keys()) looks.push(...(await causeLooks(generations, name)).reverse().slice(0, looksAtMost));
    response.json({ looks });
  };
}
