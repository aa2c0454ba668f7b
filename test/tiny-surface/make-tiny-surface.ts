import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandom } from '../../models/random.ts';

/**
 * A surface small enough to train in a second, whose truth is plain: items lie in groups, and a person buys within one group.
 * So item-to-item models beat popularity by far, and a model with a shifted vocabulary fails.
 */
export type TinySurface = { folder: string; config: string; csv: string; itemCount: number; groups: number };

const day = 86_400_000;

export async function makeTinySurface(input: { folder: string; seed: number; people?: number; charter?: Record<string, unknown> }): Promise<TinySurface> {
  const random = createRandom(input.seed);
  const groups = 12;
  const itemsOfGroup = 10;
  const people = input.people ?? 400;
  const rows: { at: number; line: string }[] = [];
  const start = Date.UTC(2026, 0, 5);
  for (let person = 0; person < people; person += 1) {
    const group = person % groups;
    for (let purchase = 0; purchase < 12; purchase += 1) {
      // One purchase in ten is outside the group, so that there is something to learn against.
      const home = random.float() < 0.9 ? group : Math.floor(random.float() * groups);
      const item = home * itemsOfGroup + Math.floor(random.float() ** 1.5 * itemsOfGroup);
      const at = start + Math.floor(random.float() * 60) * day + Math.floor(random.float() * day);
      rows.push({ at, line: `u${person},i${String(item).padStart(3, '0')},${new Date(at).toISOString().slice(0, 19)}` });
    }
  }
  rows.sort((a, b) => a.at - b.at || (a.line < b.line ? -1 : 1));
  await mkdir(input.folder, { recursive: true });
  const csv = join(input.folder, 'purchases.csv');
  await writeFile(csv, `user,item,at\n${rows.map((row) => row.line).join('\n')}\n`);
  const config = join(input.folder, 'understudy.config.ts');
  await writeFile(config, configText(input.charter ?? {}));
  return { folder: input.folder, config, csv, itemCount: groups * itemsOfGroup, groups };
}

function configText(over: Record<string, unknown>): string {
  const module = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);
  const charter = {
    surface: 'tiny',
    title: 'A tiny surface',
    owners: ['tests'],
    objective: 'conversion',
    reward: { weights: { purchase: 1 }, attributionMs: 500, capPerUnit: 1 },
    confidence: { purchase: 1 },
    repeatPolicy: 'allow',
    window: { trainDays: 40, gapDays: 1, testDays: 14 },
    bootstrap: 'popularity',
    candidates: [
      { name: 'popularity', algorithm: 'popularity' },
      { name: 'item-knn', algorithm: 'item-knn' },
      { name: 'ials', algorithm: 'ials', params: { factors: 16, sweeps: 6 } },
    ],
    gates: { minUsers: 50 },
    release: {
      approvers: [{ name: 'lead', role: 'ml-lead' }],
      canary: { shadowSlates: 20, ladder: [0.05, 0.5], minUnits: [10, 80], lookEveryMs: 200, maxDurationMs: 60_000, maxP99Ms: 5_000 },
    },
    seed: 7,
    ...over,
  };
  return `import { columnMapping } from ${module('activities/events/column-mapping.ts')};
import { defineSurface } from ${module('models/contracts/charter.ts')};

export default defineSurface(${JSON.stringify(charter, null, 2)} as never);
export const source = { file: 'purchases.csv', mapping: columnMapping({ user: 'user', item: 'item', at: 'at', constantKind: 'purchase' }) };
`;
}
