import { z } from 'zod';
import { catalogItem } from '../models/contracts/catalog-item.ts';
import { type Charter, parseCharter } from '../models/contracts/charter.ts';
import { type DeploymentSpec, deploymentSpec } from '../models/contracts/deployment.ts';
import { digestJson } from '../models/contracts/digest.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { type Scope, scopeOf } from '../models/slate/scope.ts';
import { type LoadedArtifact, loadArtifact } from '../stores/artifacts.ts';
import { type BlobStore, getDocument } from '../stores/blobs.ts';
import type { GenerationStore } from '../stores/generations.ts';
import { type HostEvent, type ModelHost, openModelHost } from './models/model-host.ts';

/** One artifact as requests use it: item ids to indexes and back. */
export type ServedModel = { digest: string; vocabulary: readonly string[]; indexOf: ReadonlyMap<string, number>; maxHistory: number };

/** All that a request needs of one generation, never changed after it was made: a request holds one from its beginning to its end. */
export type Snapshot = {
  spec: DeploymentSpec;
  charter: Charter;
  scope: Scope;
  /** Of the charter and the scope: what a slate was allowed to be. */
  rulesDigest: string;
  models: ReadonlyMap<string, ServedModel>;
  /** Null where no artifact of the generation could be loaded: then the fallback rungs answer. */
  host: ModelHost | null;
  /** Two generations with the same key answer alike and share the host. */
  hostKey: string;
};

export type SnapshotOptions = {
  blobs: BlobStore;
  generations: GenerationStore;
  threads: number;
  deadlineMs: number;
  onModelEvent?: (event: HostEvent) => void;
};

/**
 * Loads a generation: charter, catalog, and each artifact it names, warmed and parity-checked in new threads, so that those which serve are not
 * disturbed. Generations that name the same things share one host.
 * @param previous the snapshot in force.
 * @throws a coded error when anything that the generation names is missing, altered or does not answer as its trainer did.
 */
export async function loadSnapshot(options: SnapshotOptions & { document: unknown; previous: Snapshot | null }): Promise<Snapshot> {
  const { blobs, generations, threads, deadlineMs, onModelEvent, previous } = options;
  const spec = readSpec(options.document);
  const artifacts = [...new Set([spec.champion, spec.challenger, spec.canary?.artifact])].filter((digest): digest is string => typeof digest === 'string');
  const hostKey = [spec.charter, spec.catalog, ...artifacts].join(' ');
  if (previous?.host && previous.hostKey === hostKey) {
    previous.host.retain();
    return { ...previous, spec };
  }
  const rules = await loadRules(blobs, spec);
  const loaded: LoadedArtifact[] = [];
  for (const digest of artifacts) loaded.push(await loadServable(blobs, generations, digest, spec.surface));
  const hosted = loaded.map(({ digest, graphPath, manifest, vocabulary, parity }) => ({
    digest,
    graphPath,
    itemCount: manifest.itemCount,
    maxHistory: manifest.maxHistory,
    parity,
    scopeBias: Float32Array.from(vocabulary, (itemId) => (rules.scope.allowed(itemId) ? 0 : -1e9)),
  }));
  const host = await openModelHost({ artifacts: hosted, threads, deadlineMs, ...(onModelEvent === undefined ? {} : { onEvent: onModelEvent }) });
  const models = loaded.map(({ digest, vocabulary, manifest }) => ({
    digest,
    vocabulary,
    indexOf: new Map(vocabulary.map((itemId, index) => [itemId, index] as const)),
    maxHistory: manifest.maxHistory,
  }));
  return { spec, ...rules, models: new Map(models.map((model) => [model.digest, model])), host, hostKey };
}

/** The generation without its models: what a replica serves that has nothing better to begin with. */
export async function loadModellessSnapshot({ blobs, document }: { blobs: BlobStore; document: unknown }): Promise<Snapshot> {
  const spec = readSpec(document);
  return { spec, ...(await loadRules(blobs, spec)), models: new Map(), host: null, hostKey: '' };
}

function readSpec(document: unknown): DeploymentSpec {
  const parsed = deploymentSpec.safeParse(document);
  if (!parsed.success)
    throw new UnderstudyError('UND-INPUT', `The deployment spec cannot be read: ${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`);
  return parsed.data;
}

async function loadRules(blobs: BlobStore, spec: DeploymentSpec): Promise<Pick<Snapshot, 'charter' | 'scope' | 'rulesDigest'>> {
  const charter = await getDocument(blobs, spec.charter, { parse: parseCharter });
  const items = await getDocument(blobs, spec.catalog, z.array(catalogItem));
  const scope = scopeOf({ scope: charter.scope, items, vocabulary: [] });
  return { charter, scope, rulesDigest: digestJson({ charter: spec.charter, scope: scope.digest }) };
}

async function loadServable(blobs: BlobStore, generations: GenerationStore, digest: string, surface: string): Promise<LoadedArtifact> {
  const artifact = await loadArtifact({ blobs, generations, digest });
  if (artifact.manifest.surface !== surface)
    throw new UnderstudyError('UND-ARTIFACT', `The artifact ${digest} was made for ${artifact.manifest.surface}, not for ${surface}`);
  return artifact;
}
