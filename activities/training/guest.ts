import { lstat, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type ArtifactFiles, recommendGraphInterface, weightsFile } from '../../models/contracts/artifact.ts';
import { digestString, externalId } from '../../models/contracts/ids.ts';
import { UnderstudyError, inputError } from '../../models/contracts/problem.ts';
import { checkOutsideWeights } from '../../models/graph/outside-weights.ts';
import { localGraph } from '../../stores/artifacts.ts';
import { type BlobStore, getDocument, putDocument } from '../../stores/blobs.ts';

const guestParams = z.looseObject({ folder: z.string().min(1) });

/** `guest.json` in the folder: what cannot be read off the graph. */
export const guestManifest = z.strictObject({
  interface: z.literal(recommendGraphInterface),
  name: z.string().min(1).max(200),
  maxHistory: z.number().int().min(1).max(1000),
});
export type GuestManifest = z.infer<typeof guestManifest>;

const guestFiles = z.strictObject({ kind: z.literal('guest'), manifest: guestManifest, files: z.record(z.string(), digestString) });
const needed = ['recommend.onnx', 'vocabulary.json'] as const;
/** What one protobuf message may be, and one reading of a file. */
export const maxGraphBytes = 2 ** 31 - 1;

/**
 * Takes a folder of your own (`recommend.onnx`, perhaps with `recommend.weights`; `vocabulary.json`, `guest.json`) into the blob store.
 * @throws UND-ARTIFACT naming what is missing or wrong.
 */
export async function storeGuestFolder(blobs: BlobStore, params: unknown): Promise<string> {
  const { folder } = checked(guestParams.safeParse(params), "The guest candidate's params");
  const names = await readdir(folder).catch((cause) => {
    throw new UnderstudyError('UND-ARTIFACT', `The guest folder ${folder} cannot be read`, { cause });
  });
  const missing = [...needed, 'guest.json'].filter((name) => !names.includes(name));
  if (missing.length > 0) throw new UnderstudyError('UND-ARTIFACT', `${folder} lacks ${missing.join(', ')}`);
  const manifest = checked(guestManifest.safeParse(parseJson(await readFile(join(folder, 'guest.json'), 'utf8'), 'guest.json')), 'guest.json');
  const [graph, vocabulary] = await Promise.all(needed.map((name) => readGuestFile(join(folder, name))));
  const weightsPath = names.includes(weightsFile) ? join(folder, weightsFile) : undefined;
  // It is the graph that names it, and that may come from others than the folder: a link could lead anywhere.
  if (weightsPath !== undefined && !(await lstat(weightsPath)).isFile()) throw new UnderstudyError('UND-ARTIFACT', `${weightsPath} is no file of its own`);
  const weights = weightsPath === undefined ? undefined : await readGuestFile(weightsPath);
  const isUsed = checkOutsideWeights(graph as Buffer, weights?.length);
  const files: Record<string, string> = {};
  for (const [name, bytes] of Object.entries({ 'recommend.onnx': graph, 'vocabulary.json': vocabulary, [weightsFile]: isUsed ? weights : undefined }))
    if (bytes !== undefined) files[name] = await blobs.put(bytes);
  return putDocument(blobs, { kind: 'guest', manifest, files });
}

async function readGuestFile(path: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size === 0 || size > maxGraphBytes) throw new UnderstudyError('UND-ARTIFACT', `${path} is empty or larger than 2 GiB`);
  return readFile(path);
}

/** The stored folder back, its vocabulary checked. */
export async function loadGuest(
  blobs: BlobStore,
  digest: string,
): Promise<{ manifest: GuestManifest; files: ArtifactFiles; vocabulary: string[]; graphPath: string }> {
  const stored = await getDocument(blobs, digest, guestFiles);
  const [graph, vocabularyBytes] = await Promise.all(needed.map((name) => blobs.get(stored.files[name] ?? '')));
  const weights = stored.files[weightsFile] && (await blobs.get(stored.files[weightsFile]));
  if (graph === undefined || vocabularyBytes === undefined) throw new UnderstudyError('UND-ARTIFACT', 'The guest lacks a file');
  const vocabulary = checked(
    z
      .array(externalId)
      .min(1)
      .safeParse(parseJson(Buffer.from(vocabularyBytes).toString('utf8'), 'vocabulary.json')),
    'vocabulary.json',
  );
  if (new Set(vocabulary).size !== vocabulary.length) throw new UnderstudyError('UND-ARTIFACT', 'vocabulary.json names an item twice');
  const graphPath = await localGraph(blobs, stored.files);
  const files = { 'recommend.onnx': graph, ...(weights && { [weightsFile]: weights }), 'vocabulary.json': vocabularyBytes };
  return { manifest: stored.manifest, files, vocabulary, graphPath };
}

export function checked<T>(parsed: { success: true; data: T } | { success: false; error: z.ZodError }, what: string): T {
  if (!parsed.success) throw inputError('UND-ARTIFACT', what, parsed.error.issues);
  return parsed.data;
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnderstudyError('UND-ARTIFACT', `${what} is not JSON`, { cause });
  }
}
