import { z } from 'zod';
import type { FeatureEntity, FeatureValue } from '../../models/contracts/feature.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { type Digest, digestString, epochMs } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';

/** One version of one view of one surface: what is filled, published and read together. */
export type FeatureSet = { surface: string; view: string; version: number; entity: FeatureEntity };

/** What readers are told of the generation that they get. */
export const publishedFeatures = z.strictObject({
  generation: z.number().int().min(1),
  /** The definition that the values are of. */
  digest: digestString,
  /** The values are of what was known before this moment, and are missing `ttlMs` after it. */
  asOfMs: epochMs,
  ttlMs: z.number().int().min(1),
});
export type PublishedFeatures = z.infer<typeof publishedFeatures>;

/** Values in the order of the view's features. */
export type FeatureRow = { entity: string; values: readonly FeatureValue[] };

export type ServedRows = PublishedFeatures & {
  /** Too old at the moment of reading: then every row is missing. */
  expired: boolean;
  /** One for each entity that was asked for, in that order; undefined where it is missing. */
  rows: (readonly FeatureValue[] | undefined)[];
};

/**
 * Feature values for serving, a copy that can be made again from the slices. A generation is laid down batch by batch where nobody reads it and
 * then published in one step; its number stands for its content (see `featureGeneration`), so laying the same down again changes nothing.
 */
export interface OnlineFeatureStore {
  /**
   * Lays a batch down, whole or not at all; nothing, where the generation is published. Rows of who was erased at or after `asOfMs` are left out.
   * @throws UND-GENERATION-TAKEN where a later generation is published
   */
  put(batch: { set: FeatureSet; generation: number; asOfMs: number; rows: readonly FeatureRow[] }): Promise<void>;
  /**
   * From now on readers get this generation; those before it go. The same again changes nothing.
   * @throws UND-GENERATION-TAKEN where a later one is published, or the same with something else to say
   */
  publish(publication: { set: FeatureSet; published: PublishedFeatures }): Promise<void>;
  current(set: FeatureSet): Promise<PublishedFeatures | undefined>;
  /**
   * Many entities in one call, all of one generation; undefined where none is published.
   * @throws UND-INPUT where what is published is of another definition than `digest`: two versions are not mixed
   */
  get(question: { set: FeatureSet; digest: Digest; entities: readonly string[]; nowMs: number }): Promise<ServedRows | undefined>;
  /**
   * Deletes somebody in all views of the surface, and keeps a generation of before from bringing them back, also one that is being laid down
   * now. Their events must be gone from the slices first: what is made of later data is laid down again. Keeps a SHA-256 of the id.
   * @returns in how many rows they stood
   */
  erase(person: { surface: string; entity: FeatureEntity; id: string; atMs: number }): Promise<number>;
  close(): Promise<void>;
}

/** `view@version`, as it stands in keys. */
export const setName = ({ view, version }: FeatureSet): string => `${view}@${version}`;

/** True where the generation is published already. @throws UND-GENERATION-TAKEN where a later one is, or where `published` says otherwise */
export function isDone(
  set: FeatureSet,
  current: PublishedFeatures | undefined,
  { generation, published }: { generation: number; published?: PublishedFeatures },
): boolean {
  if (current === undefined || generation > current.generation) return false;
  const same = generation === current.generation && (published === undefined || canonicalJson(published) === canonicalJson(current));
  if (same) return true;
  throw new UnderstudyError(
    'UND-GENERATION-TAKEN',
    `${set.surface}/${setName(set)} is at generation ${current.generation} in the online store; ${generation} comes too late`,
  );
}

/** @throws UND-INPUT */
export function refuseOtherDefinition({ set, digest, current }: { set: FeatureSet; digest: Digest; current: PublishedFeatures }): void {
  if (current.digest !== digest)
    throw new UnderstudyError(
      'UND-INPUT',
      `The online store has ${set.surface}/${setName(set)} by the definition ${current.digest}, not by ${digest}: versions are not mixed`,
    );
}

export const isExpired = ({ asOfMs, ttlMs }: PublishedFeatures, nowMs: number): boolean => nowMs - asOfMs > ttlMs;
