import { z } from 'zod';
import { catalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { FairnessRules } from '../../models/contracts/fairness.ts';
import { type FairGroups, fairGroups } from '../../models/slate/arrange.ts';
import { type ItemWords, itemWords } from '../../models/slate/item-words.ts';
import { scopeOf } from '../../models/slate/scope.ts';

/** What a request needs of a catalog: the ids in scope, in the order of the scope, and the others. */
export type CatalogIds = {
  allowedIds: readonly string[];
  others: readonly string[];
  digest: string /** Of the ids in scope, where they are asked for. */;
  words: ItemWords | null;
  groups: FairGroups | null;
};
/** What a charter reads of a catalog besides the scope. */
export type CatalogUse = { withWords: boolean; fairness?: FairnessRules | undefined };
export type ProfileEntries = (readonly [string, number])[];

const catalog = z.array(catalogItem);
const profiles = z.record(z.string(), z.array(z.tuple([z.string(), z.number()])));
const json = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));

export function parseCatalog(bytes: Uint8Array, { rules, withWords, fairness }: CatalogUse & { rules: Charter['scope'] }): CatalogIds {
  const items = catalog.parse(json(bytes));
  const { allowed, allowedIds, digest } = scopeOf({ scope: rules, items, vocabulary: [] });
  const inScope = items.filter(({ itemId }) => allowed(itemId));
  const words = withWords ? itemWords(inScope) : null;
  const groups = fairness === undefined ? null : fairGroups(fairness, inScope);
  return { allowedIds, others: items.map(({ itemId }) => itemId).filter((itemId) => !allowed(itemId)), digest, words, groups };
}

export function parseProfiles(bytes: Uint8Array): [string, ProfileEntries][] {
  return Object.entries(profiles.parse(json(bytes)));
}
