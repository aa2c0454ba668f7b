import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { formatQuality, measureQuality, type QualityResults, renderQuality, withoutTime } from './quality.ts';
import { qualityData } from './quality-data.ts';

const docs = join(import.meta.dirname, '../docs');

/** Measures all and writes docs/quality.md and docs/quality.json; with `check` it writes nothing and gives the cells that come to something else now. */
export async function writeQuality({ machine, check, say }: { machine: string; check: boolean; say: (line: string) => void }): Promise<string[]> {
  const results: QualityResults = { machine, cells: {} };
  for (const data of Object.keys(qualityData)) {
    results.cells[data] = await measureQuality(data);
    say(`${data}: done`);
  }
  if (check) return staleCells(JSON.parse(readFileSync(join(docs, 'quality.json'), 'utf8')) as QualityResults, results);
  writeFileSync(join(docs, 'quality.json'), formatQuality(results));
  writeFileSync(join(docs, 'quality.md'), renderQuality(results));
  return [];
}

function staleCells(written: QualityResults, now: QualityResults): string[] {
  return Object.entries(now.cells).flatMap(([data, cells]) =>
    Object.entries(cells).flatMap(([model, cell]) => {
      const before = written.cells[data]?.[model];
      return before !== undefined && isDeepStrictEqual(withoutTime(before), withoutTime(cell)) ? [] : [`${model} on ${data}`];
    }),
  );
}
