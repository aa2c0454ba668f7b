import { type Charter, parseStoredCharter } from '../models/contracts/charter.ts';
import { type DeploymentSpec, deploymentSpec } from '../models/contracts/deployment.ts';
import { digestJson } from '../models/contracts/digest.ts';
import type { Measure } from '../models/contracts/embedding-set.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { Pseudonyms } from '../models/contracts/pseudonyms.ts';
import { challengersInPlay, registeredOf } from '../models/slate/assign.ts';
import { type Arrange, arranger, type FairGroups } from '../models/slate/arrange.ts';
import { type ItemWords, wordDistance } from '../models/slate/item-words.ts';
import type { Scope } from '../models/slate/scope.ts';
import { type LoadedArtifact, loadArtifact } from '../stores/artifacts.ts';
import { type BlobStore, getDocument } from '../stores/blobs.ts';
import { findEmbeddingSet, type FoundEmbeddingSet } from '../stores/embedding-sets.ts';
import type { GenerationStore } from '../stores/generations.ts';
import { openPseudonyms } from '../stores/pseudonym-key.ts';
import { readCatalog } from './documents/read-document.ts';
import { createModelHost, type ModelHost } from './models/model-host.ts';
import type { HostedEmbeddings } from './models/model-messages.ts';
import { type ModelEvent, type ModelPool, openModelPool } from './models/model-pool.ts';

/** One artifact as requests use it: item ids to indexes and back. */
export type ServedModel = {
  digest: string;
  vocabulary: readonly string[];
  indexOf: ReadonlyMap<string, number>;
  maxHistory: number;
  /** Absent where the artifact names no set. */
  embeddings?: ServedEmbeddings | undefined;
};

/** An embedding set as requests use it: item ids to rows and back. */
export type ServedEmbeddings = {
  version: string;
  measure: Measure;
  dimensions: number;
  ids: readonly string[];
  rowOf: ReadonlyMap<string, number>;
};

/** All that a request needs of one generation, never changed after it was made: a request holds one from its beginning to its end. */
export type Snapshot = {
  spec: DeploymentSpec;
  charter: Charter;
  scope: Scope;
  /** Also for items that are out of scope now. */
  inCatalog: (itemId: string) => boolean;
  /** How the charter has slates made of rankings. */
  arrange: Arrange<string>;
  /** The groups of the charter's fairness that an item is of. */
  groupsOf: (itemId: string) => readonly number[];
  /** Of the charter and the scope: what a slate was allowed to be. */
  rulesDigest: string;
  /** Null where people are known by their ids. */
  pseudonyms: Pseudonyms | null;
  models: ReadonlyMap<string, ServedModel>;
  /** Null where no artifact of the generation could be loaded: then the fallback rungs answer. */
  host: ModelHost | null;
};

export type SnapshotOptions = {
  blobs: BlobStore;
  generations: GenerationStore;
  threads: number;
  pseudonymKey: string | null;
  deadlineMs: number;
  onModelEvent?: (event: ModelEvent) => void;
  /** Takes in threads that are given up while they are at work. */
  lingering?: Set<Promise<void>>;
};
type LoadOptions = SnapshotOptions & { document: unknown; previous: Snapshot | null; signal?: AbortSignal };

/**
 * Loads a generation: charter, catalog, and each artifact it names that is not out, warmed and parity-checked in new threads, so that those which serve
 * are not disturbed. What the snapshot before has loaded already under the same rules is shared, not read again: a generation that only takes something
 * away needs nothing that may be missing by now.
 * @param previous the snapshot in force.
 * @throws a coded error when anything that the generation names is missing, altered or does not answer as its trainer did.
 */
export async function loadSnapshot(options: LoadOptions): Promise<Snapshot> {
  const { deadlineMs, previous } = options;
  const spec = readSpec(options.document);
  const rules =
    previous?.spec.charter === spec.charter && previous.spec.catalog === spec.catalog ? rulesOf(previous) : await loadRules(options, spec, options.signal);
  const artifacts = new Set([spec.champion, ...registeredOf(spec), ...(spec.canary === null ? [] : challengersInPlay(spec.canary))]);
  const pools: ModelPool[] = [];
  const models = new Map<string, ServedModel>();
  try {
    for (const digest of artifacts) {
      options.signal?.throwIfAborted();
      const loaded = previous?.host?.pool(digest);
      const model = previous?.models.get(digest);
      if (loaded !== undefined && model !== undefined && loaded.scope === rules.scope.digest) {
        loaded.retain();
        pools.push(loaded);
        models.set(digest, model);
      } else {
        const { pool, model: fresh } = await loadModel(options, { digest, spec, scope: rules.scope });
        pools.push(pool);
        models.set(digest, fresh);
      }
    }
  } catch (error) {
    for (const pool of pools) pool.release();
    throw error;
  }
  return { spec, ...rules, models, host: createModelHost({ pools, extraWaitMs: deadlineMs / 5 }) };
}

async function loadModel(
  { blobs, generations, threads, deadlineMs, onModelEvent, lingering, signal }: LoadOptions,
  { digest, spec, scope }: { digest: string; spec: DeploymentSpec; scope: Scope },
): Promise<{ pool: ModelPool; model: ServedModel }> {
  const { graphPath, manifest, vocabulary, parity } = await loadServable(blobs, generations, digest, spec.surface);
  const { itemCount, maxHistory } = manifest;
  const scopeBias = Float32Array.from(vocabulary, (itemId) => (scope.allowed(itemId) ? 0 : -1e9));
  const found = await findServable(blobs, { manifest, vocabulary });
  const embeddings = found && { ...hostedOf(found, scope), isAsked: digest === spec.champion };
  const artifact = { digest, graphPath, itemCount, maxHistory, parity, scopeBias, embeddings };
  const pool = await openModelPool({ artifact, scope: scope.digest, threads, deadlineMs, onEvent: onModelEvent, lingering, signal });
  const indexOf = indexesOf(vocabulary);
  const rowOf = found === undefined || found.ids === vocabulary ? indexOf : indexesOf(found.ids);
  return { pool, model: { digest, vocabulary, indexOf, maxHistory, embeddings: found && servedOf(found, rowOf) } };
}

const indexesOf = (ids: readonly string[]): ReadonlyMap<string, number> => new Map(ids.map((itemId, index) => [itemId, index] as const));

async function findServable(
  blobs: BlobStore,
  { manifest: { embeddings: version, files, surface }, vocabulary }: Pick<LoadedArtifact, 'manifest' | 'vocabulary'>,
): Promise<FoundEmbeddingSet | undefined> {
  if (version === undefined) return undefined;
  const found = await findEmbeddingSet(blobs, version, { digest: files['vocabulary.json'] ?? '', ids: vocabulary });
  if (found.set.surface === surface) return found;
  throw new UnderstudyError('UND-ARTIFACT', `The embedding set ${version} was made for ${found.set.surface}, not for ${surface}`);
}

function servedOf({ version, set: { measure, dimensions }, ids }: FoundEmbeddingSet, rowOf: ReadonlyMap<string, number>): ServedEmbeddings {
  return { version, measure, dimensions, ids, rowOf };
}

function hostedOf({ version, set, ids, vectorsPath }: FoundEmbeddingSet, scope: Scope): Omit<HostedEmbeddings, 'isAsked'> {
  const { count, dimensions, measure, vectors } = set;
  return { version, count, dimensions, measure, vectors, vectorsPath, allowed: Uint8Array.from(ids, (itemId) => (scope.allowed(itemId) ? 1 : 0)) };
}

/** The generation without its models: what a replica serves that has nothing better to begin with. */
export async function loadModellessSnapshot({ document, ...stores }: RuleStores & { document: unknown }): Promise<Snapshot> {
  const spec = readSpec(document);
  return { spec, ...(await loadRules(stores, spec)), models: new Map(), host: null };
}

export function readSpec(document: unknown): DeploymentSpec {
  const parsed = deploymentSpec.safeParse(document);
  if (!parsed.success)
    throw new UnderstudyError('UND-INPUT', `The deployment spec cannot be read: ${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`);
  return parsed.data;
}

type Rules = Pick<Snapshot, 'charter' | 'scope' | 'inCatalog' | 'arrange' | 'groupsOf' | 'rulesDigest' | 'pseudonyms'>;
const rulesOf = ({ charter, scope, inCatalog, arrange, groupsOf, rulesDigest, pseudonyms }: Rules): Rules => ({
  charter,
  scope,
  inCatalog,
  arrange,
  groupsOf,
  rulesDigest,
  pseudonyms,
});
type RuleStores = Pick<SnapshotOptions, 'blobs' | 'generations' | 'pseudonymKey'>;

async function loadRules(stores: RuleStores, spec: DeploymentSpec, signal?: AbortSignal): Promise<Rules> {
  const { blobs } = stores;
  const charter = await getDocument(blobs, spec.charter, { parse: parseStoredCharter });
  const pseudonyms = await openPseudonyms({ generations: stores.generations, surface: spec.surface, charter, key: stores.pseudonymKey });
  const withWords = charter.slate.diversity.weight > 0;
  const { fairness } = charter;
  const { scope, inCatalog, words, groups } = await readCatalog({ blobs, digest: spec.catalog, rules: charter.scope, withWords, fairness, signal });
  const rulesDigest = digestJson({ charter: spec.charter, scope: scope.digest });
  return { charter, scope, inCatalog, ...arrangementOf({ charter, words, groups }), rulesDigest, pseudonyms };
}

type Known = { charter: Charter; words: ItemWords | null; groups: FairGroups | null };
const none: readonly number[] = [];

/** @param known `words` and `groups` are there where the charter asks for them */
export function arrangementOf({ charter, words, groups }: Known): Pick<Snapshot, 'arrange' | 'groupsOf'> {
  const groupsOf = (itemId: string): readonly number[] => groups?.get(itemId) ?? none;
  return { groupsOf, arrange: arranger({ ...charter, groupsOf, distance: (one, other) => wordDistance(words?.get(one), words?.get(other)) }) };
}

async function loadServable(blobs: BlobStore, generations: GenerationStore, digest: string, surface: string): Promise<LoadedArtifact> {
  const artifact = await loadArtifact({ blobs, generations, digest });
  if (artifact.manifest.surface !== surface)
    throw new UnderstudyError('UND-ARTIFACT', `The artifact ${digest} was made for ${artifact.manifest.surface}, not for ${surface}`);
  return artifact;
}
