import { z } from 'zod';
import { catalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { scopeOf } from '../../models/slate/scope.ts';

/** What a request needs of a catalog: the ids in scope, in the order of the scope, and the others. */
export type CatalogIds = { allowedIds: readonly string[]; others: readonly string[]; digest: string };
export type ProfileEntries = (readonly [string, number])[];

const catalog = z.array(catalogItem);
const profiles = z.record(z.string(), z.array(z.tuple([z.string(), z.number()])));
const json = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));

export function parseCatalog(bytes: Uint8Array, rules: Charter['scope']): CatalogIds {
  const items = catalog.parse(json(bytes));
  const { allowed, allowedIds, digest } = scopeOf({ scope: rules, items, vocabulary: [] });
  return { allowedIds, others: items.map(({ itemId }) => itemId).filter((itemId) => !allowed(itemId)), digest };
}

export function parseProfiles(bytes: Uint8Array): [string, ProfileEntries][] {
  return Object.entries(profiles.parse(json(bytes)));
}
