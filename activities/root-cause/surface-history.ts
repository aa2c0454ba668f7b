import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { challengersOf, type DeploymentSpec } from '../../models/contracts/deployment.ts';
import type { CatalogRow, RootCauseFacts } from '../../models/contracts/root-cause.ts';
import { type DataState, dataState } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import { latestDeployment, readDeployment } from '../../stores/deployments.ts';
import { parseGeneration } from '../../stores/generations.ts';
import type { State } from '../context.ts';
import { catalogDocument } from '../events/build-catalog.ts';
import type { Unit } from './comparable-units.ts';

/** More generations than these are not looked back at. */
const generationsAtMost = 1_000;

/** Deployments that were in force since a moment, and the one that was then; oldest first. */
export async function deploymentsSince(
  { generations }: Pick<State, 'generations'>,
  { surface, sinceMs }: { surface: string; sinceMs: number },
): Promise<DeploymentSpec[]> {
  const found: DeploymentSpec[] = [];
  const latest = await latestDeployment(generations, surface);
  for (let generation = latest?.generation ?? 0; generation > 0 && found.length < generationsAtMost; generation -= 1) {
    const spec = await readDeployment(generations, surface, generation);
    found.unshift(spec);
    if (spec.createdAtMs <= sinceMs) break;
  }
  return found;
}

export function deploymentFact({ generation, createdAtMs, champion, canary, championRelease, author }: DeploymentSpec): RootCauseFacts['deployments'][number] {
  const challengers = canary?.mode === 'canary' ? challengersOf(canary).map(({ artifact }) => artifact) : [];
  return {
    generation,
    atMs: createdAtMs,
    artifacts: [...new Set([champion, ...challengers])],
    releaseId: canary?.releaseId ?? championRelease,
    by: author.name,
  };
}

/** What was in force at a moment; what came first where that was later. */
export const asOf = <One>(all: readonly One[], atMs: number, timeOf: (one: One) => number): One | undefined =>
  all.findLast((one) => timeOf(one) <= atMs) ?? all[0];

/** The data as they were over time, as far back as a moment; oldest first. Those of before this was noted stand for all earlier ones. */
export async function dataSince({ generations }: Pick<State, 'generations'>, { surface, sinceMs }: { surface: string; sinceMs: number }): Promise<DataState[]> {
  const series = `data/${surface}`;
  const found: DataState[] = [];
  for (let generation = (await generations.latest(series))?.generation ?? 0; generation > 0 && found.length < generationsAtMost; generation -= 1) {
    const state = parseGeneration(dataState, { series, generation, document: await generations.read(series, generation) });
    found.unshift(state);
    if ((state.atMs ?? 0) <= sinceMs) break;
  }
  return found;
}

/** Reads each catalog once. */
export function catalogReader({ blobs }: Pick<State, 'blobs'>): (digest: string) => Promise<ReadonlyMap<string, CatalogItem> | null> {
  const read = new Map<string, Promise<ReadonlyMap<string, CatalogItem> | null>>();
  return (digest) => {
    const known =
      read.get(digest) ??
      getDocument(blobs, digest, catalogDocument).then(
        (items) => new Map(items.map((item) => [item.itemId, item])),
        // Swept since, or erased: then nobody knows it any more.
        () => null,
      );
    read.set(digest, known);
    return known;
  };
}

type Catalogs = { units: readonly Unit[]; deployments: readonly DeploymentSpec[]; data: readonly DataState[]; read: ReturnType<typeof catalogReader> };

/** What was served of the catalog at the end of each unit; prices are those of the data, which are newer. */
export async function catalogRows({ units, deployments, data, read }: Catalogs): Promise<CatalogRow[]> {
  const rows: CatalogRow[] = [];
  let before: ReadonlyMap<string, CatalogItem> | null = null;
  for (const [unit, { toMs }] of units.entries()) {
    const known = asOf(data, toMs, ({ atMs }) => atMs ?? 0)?.catalog;
    const served = asOf(deployments, toMs, ({ createdAtMs }) => createdAtMs)?.catalog ?? known;
    const items = served === undefined ? null : await read(served);
    const prices = known === undefined ? items : await read(known);
    if (items === null) continue;
    const all = [...items.values()];
    const priced = ({ priceMinor }: CatalogItem) => priceMinor !== undefined && priceMinor > 0;
    rows.push({
      unit,
      items: all.length,
      inStock: all.filter((item) => item.inStock).length,
      described: all.filter((item) => item.category !== undefined && priced(item)).length,
      priced: all.filter(priced).length,
      priceRatio: ratioOf(before ?? prices, prices),
    });
    before = prices;
  }
  return rows;
}

function ratioOf(before: ReadonlyMap<string, CatalogItem> | null, after: ReadonlyMap<string, CatalogItem> | null): number | null {
  if (before === null || after === null) return null;
  const ratios: number[] = [];
  for (const [itemId, { priceMinor: is = 0 }] of after) {
    const was = before.get(itemId)?.priceMinor ?? 0;
    if (is > 0 && was > 0) ratios.push(is / was);
  }
  ratios.sort((a, b) => a - b);
  return ratios[ratios.length >> 1] ?? null;
}
