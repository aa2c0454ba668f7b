import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { formatQuality, measuredOn, measureQuality, type QualityResults, renderQuality, withoutTime } from './quality.ts';
import { qualityData } from './quality-data.ts';
import type { PageRun } from './page-run.ts';

const docs = join(import.meta.dirname, '../docs');

/**
 * Measures all and writes docs/quality.md and docs/quality.json; with `check` it writes nothing and gives the cells that come to something else now.
 * @param only of the algorithms, the others standing as they were; empty: all
 */
export async function writeQuality({ machine, check, only, say }: PageRun): Promise<string[]> {
  const written = JSON.parse(readFileSync(join(docs, 'quality.json'), 'utf8')) as QualityResults;
  const results: QualityResults = { machine, cells: {} };
  for (const data of Object.keys(qualityData)) {
    const names = measuredOn(data);
    const cells = await measureQuality(
      data,
      names.filter((name) => only.length === 0 || only.includes(name)),
    );
    const all = { ...(only.length === 0 ? {} : written.cells[data]), ...cells };
    // In the order of the registry.
    results.cells[data] = Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
    say(`${data}: done`);
  }
  if (check) return staleCells(written, results);
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
