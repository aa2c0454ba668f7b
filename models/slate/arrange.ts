import type { CatalogItem } from '../contracts/catalog-item.ts';
import type { Charter } from '../contracts/charter.ts';
import type { FairnessRules } from '../contracts/fairness.ts';
import { diversify, rankingDepth } from './diversify.ts';
import { createExposureController, exposureShares, type ExposureController, fairExposure } from './fair-exposure.ts';
import { adjustedSignificance, type FairTable, fairTopK } from './fair-top-k.ts';

/** Item id → the groups of the charter's fairness that it is of, by their place in `groupsIn`. An item of none has none here. */
export type FairGroups = ReadonlyMap<string, readonly number[]>;

type GroupRule = Extract<FairnessRules, { method: 'fa-ir' }>['group'];
export type Arrangement = Pick<Charter, 'slate' | 'fairness'>;

/** The groups that a charter names, in an order that stays. */
export function groupsIn(rules: FairnessRules): readonly GroupRule[] {
  return rules.method === 'fa-ir' ? [rules.group] : rules.groups;
}

export function fairGroups(rules: FairnessRules, items: readonly Pick<CatalogItem, 'itemId' | 'brand' | 'category'>[]): FairGroups {
  const members = groupsIn(rules).map(({ by, values }) => ({ by, values: new Set(values) }));
  const found = new Map<string, readonly number[]>();
  for (const item of items) {
    const own = members.flatMap(({ by, values }, group) => (values.has((by === 'items' ? item.itemId : item[by]) ?? '') ? [group] : []));
    if (own.length > 0) found.set(item.itemId, own);
  }
  return found;
}

/** How long a ranking must be, where there are as many items, for a slate of `size` to be made of it. */
export function arrangementDepth({ size, slate, fairness }: Arrangement & { size: number }): number {
  return Math.max(rankingDepth({ size, diversity: slate.diversity }), fairness?.depth ?? 0);
}

/**
 * @param deficits of the groups when the slate is made, where the charter's method is `exposure`: see `ExposureController`
 * @returns the ranking with a slate of `size` in front
 */
export type Arrange<Item> = (ranked: readonly Item[], size: number, deficits?: readonly number[]) => readonly Item[];

/** How a surface makes slates of rankings, in serving and in all evaluations: diversity, then what groups are owed. Exploration comes behind it. */
export function arranger<Item>({
  slate: { diversity },
  fairness,
  distance,
  groupsOf,
}: Arrangement & { distance: (one: Item, other: Item) => number; groupsOf: (item: Item) => readonly number[] }): Arrange<Item> {
  const tables = new Map<number, FairTable>();
  const tableOf = (rules: Extract<FairnessRules, { method: 'fa-ir' }>, size: number): FairTable => {
    const table = tables.get(size) ?? adjustedSignificance({ size, share: rules.share, significance: rules.significance }).table;
    tables.set(size, table);
    return table;
  };
  return (ranked, size, deficits = []) => {
    const diverse = diversify({ ranked, size, diversity, distance });
    if (fairness === undefined) return diverse;
    const reach = Math.max(size, fairness.depth);
    const candidates = diverse.slice(0, reach);
    const fair =
      fairness.method === 'fa-ir'
        ? fairTopK({ ranked: candidates, size, table: tableOf(fairness, size), isProtected: (item) => groupsOf(item).length > 0 })
        : fairExposure({ ranked: candidates, size, deficits, strength: fairness.strength, groupsOf });
    return fair === candidates ? diverse : [...fair, ...diverse.slice(reach)];
  };
}

export type ExposureMemory = {
  /** Whether what was shown before changes what is shown next. */
  remembers: boolean;
  deficits(): number[];
  note<Item>(shown: readonly Item[], groupsOf: (item: Item) => readonly number[]): void;
};

/** What a run of slates owes its groups, one after the other: for whoever has no log that says it. Without `exposure` in the charter it remembers nothing. */
export function exposureMemory(fairness: FairnessRules | undefined): ExposureMemory {
  const rules = fairness?.method === 'exposure' ? fairness : undefined;
  const controller: ExposureController | undefined = rules && createExposureController(rules);
  return {
    remembers: controller !== undefined,
    deficits: () => controller?.deficits() ?? [],
    note(shown, groupsOf) {
      if (rules !== undefined) controller?.note(exposureShares(shown, rules.groups.length, groupsOf));
    },
  };
}
