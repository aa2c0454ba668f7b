import { join } from 'node:path';
import { z } from 'zod';
import { type ArtifactFiles, type ArtifactManifest, artifactManifest, type ParityRecord, parityRecord, weightsFile } from '../models/contracts/artifact.ts';
import { canonicalJson, digestBytes } from '../models/contracts/digest.ts';
import { type Digest, digestString, externalId } from '../models/contracts/ids.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { type BlobStore, getDocument, putDocument } from './blobs.ts';
import type { GenerationStore } from './generations.ts';

export type LoadedArtifact = { digest: Digest; manifest: ArtifactManifest; graphPath: string; vocabulary: string[]; parity: ParityRecord };

/** The attestation that travels beside an artifact: what its trainer answered. */
const parityAttestation = z.strictObject({ kind: z.literal('parity'), artifact: digestString, record: digestString });
const paritySeries = (artifact: Digest) => `parity/${artifact.slice('sha256:'.length)}`;

/** Stores files, parity record and manifest, in this order: an artifact that has a name is whole. */
export async function putArtifact(input: {
  blobs: BlobStore;
  generations: GenerationStore;
  manifest: ArtifactManifest;
  files: ArtifactFiles;
  parity: ParityRecord;
}): Promise<Digest> {
  const { blobs, generations } = input;
  const manifest = artifactManifest.parse(input.manifest);
  const artifact = digestBytes(canonicalJson(manifest));
  for (const [name, digest] of Object.entries(manifest.files)) {
    const bytes = input.files[name];
    if (bytes === undefined || digestBytes(bytes) !== digest)
      throw new UnderstudyError('UND-ARTIFACT', `The manifest names ${name} as ${digest}, and that is not what was given`);
    await blobs.put(bytes);
  }
  if (manifest.embeddings !== undefined && !(await blobs.has(manifest.embeddings)))
    throw new UnderstudyError('UND-ARTIFACT', `The manifest names the embedding set ${manifest.embeddings}, and that is not there`);
  const record = await putDocument(blobs, parityRecord.parse(input.parity));
  // The first attestation stays: the artifact is its deterministic core, and who makes it again finds its record.
  if ((await generations.latest(paritySeries(artifact))) === undefined)
    await generations.create(paritySeries(artifact), 1, { kind: 'parity', artifact, record });
  return blobs.put(canonicalJson(manifest));
}

/**
 * Stores a graph of which there is no artifact yet, so that it is opened as it will be: mapped, of any size.
 * @returns where it lies on this machine
 */
export async function putGraph(blobs: BlobStore, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const kept: Record<string, Digest> = {};
  for (const name of ['recommend.onnx', weightsFile]) if (files[name] !== undefined) kept[name] = await blobs.put(files[name]);
  return localGraph(blobs, kept);
}

/**
 * Where the graph lies on this machine, its weights beside it.
 * @param files of an artifact or of a guest, with `recommend.onnx`
 */
export async function localGraph(blobs: BlobStore, files: Readonly<Record<string, Digest>>): Promise<string> {
  const [graph = '', weights] = [files['recommend.onnx'], files[weightsFile]];
  if (weights === undefined) return blobs.localPath(graph);
  return join(await blobs.localFolder({ 'recommend.onnx': graph, [weightsFile]: weights }), 'recommend.onnx');
}

/** @throws UND-NOT-FOUND, UND-DIGEST for altered bytes, UND-ARTIFACT for a manifest or vocabulary that makes no sense. */
export async function loadArtifact(input: { blobs: BlobStore; generations: GenerationStore; digest: Digest }): Promise<LoadedArtifact> {
  const { blobs, generations, digest } = input;
  const manifest = await checked('manifest', () => getDocument(blobs, digest, artifactManifest));
  const fileOf = (name: string): Digest => {
    const file = manifest.files[name];
    if (file === undefined) throw new UnderstudyError('UND-ARTIFACT', `The artifact ${digest} has no ${name}`);
    return file;
  };
  const vocabulary = await checked('vocabulary', async () =>
    z.array(externalId).parse(JSON.parse(Buffer.from(await blobs.get(fileOf('vocabulary.json'))).toString('utf8'))),
  );
  if (vocabulary.length !== manifest.itemCount)
    throw new UnderstudyError('UND-ARTIFACT', `The vocabulary has ${vocabulary.length} items, the manifest says ${manifest.itemCount}`);
  fileOf('recommend.onnx');
  const graphPath = await localGraph(blobs, manifest.files);
  const attestation = await generations.latest(paritySeries(digest));
  if (attestation === undefined) throw new UnderstudyError('UND-ARTIFACT', `The artifact ${digest} has no parity record`);
  const { record } = parityAttestation.parse(attestation.document);
  return { digest, manifest, graphPath, vocabulary, parity: await checked('parity record', () => getDocument(blobs, record, parityRecord)) };

  async function checked<T>(what: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (cause) {
      if (cause instanceof UnderstudyError) throw cause;
      throw new UnderstudyError('UND-ARTIFACT', `The ${what} of ${digest} cannot be read`, { cause });
    }
  }
}
