import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cell, driftCells } from './drift-cells.ts';
import { type DriftResults, digitsOf } from './drift-results.ts';
import { renderDrift } from './write-drift.ts';
import type { PageRun } from './page-run.ts';

const docs = join(import.meta.dirname, '../docs');

/** Runs one cell, or its first replications. */
export async function runCell(cell: Cell, atMost = cell.replications): Promise<DriftResults['cells'][string]> {
  const bits: Record<string, boolean[]> = {};
  const replications = Math.min(atMost, cell.replications);
  for (let replication = 0; replication < replications; replication += 1)
    for (const [test, isAlarm] of Object.entries(await cell.tryOne(replication))) {
      bits[test] ??= [];
      bits[test].push(isAlarm);
    }
  return { replications, alarms: Object.fromEntries(Object.entries(bits).map(([test, all]) => [test, digitsOf(all)])) };
}

/**
 * Runs all cells and writes docs/drift.md and docs/drift.json; one that was interrupted goes on with the cells that are missing. With `check` it gives cells whose first
 * 40 replications come out otherwise than is written.
 */
export async function benchDrift({ machine, check, quick, say }: PageRun): Promise<string[]> {
  const path = join(docs, 'drift.json');
  const cells = driftCells();
  const written: DriftResults = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as DriftResults) : { machine, cells: {} };
  if (check) {
    const stale: string[] = [];
    for (const cell of cells) if (!(await comesOutAs(written, cell, 40))) stale.push(cell.name);
    return stale;
  }
  const isWhole = cells.every(({ name }) => written.cells[name] !== undefined);
  const results: DriftResults = isWhole || quick ? { machine, cells: {} } : { ...written, machine };
  for (const cell of cells) {
    if (results.cells[cell.name] !== undefined) continue;
    const startedMs = performance.now();
    results.cells[cell.name] = await runCell(cell, quick ? 40 : undefined);
    say(`${cell.name}: ${cell.replications} replications in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
    if (!quick) writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  }
  if (quick) return [];
  writeFileSync(join(docs, 'drift.md'), renderDrift(results));
  return [];
}

/** Do the first replications of a cell come out as is written? */
export async function comesOutAs({ cells }: DriftResults, cell: Cell, replications: number): Promise<boolean> {
  const [was, is] = [cells[cell.name], await runCell(cell, replications)];
  return was !== undefined && Object.entries(is.alarms).every(([test, digits]) => was.alarms[test]?.startsWith(digits) === true);
}
