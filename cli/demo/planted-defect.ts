import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArtifactManifest, artifactManifest, recommendGraphInterface, weightsFile } from '../../models/contracts/artifact.ts';
import type { State } from '../../activities/context.ts';
import { getDocument } from '../../stores/blobs.ts';

/**
 * Writes a guest folder with a classic mistake: a good model's graph whose vocabulary is off by one, so that every score
 * belongs to the next item. Nothing crashes, every slate looks plausible, and only evidence can tell.
 */
export async function writeMisalignedGuest(state: State, input: { artifact: string; folder: string }): Promise<void> {
  const manifest: ArtifactManifest = await getDocument(state.blobs, input.artifact, artifactManifest);
  const [graph, vocabularyBytes] = await Promise.all(['recommend.onnx', 'vocabulary.json'].map((name) => state.blobs.get(manifest.files[name] ?? '')));
  const vocabulary = JSON.parse(Buffer.from(vocabularyBytes ?? []).toString('utf8')) as string[];
  const shifted = [...vocabulary.slice(1), ...vocabulary.slice(0, 1)];
  await mkdir(input.folder, { recursive: true });
  await writeFile(join(input.folder, 'recommend.onnx'), graph ?? new Uint8Array());
  const weights = manifest.files[weightsFile];
  if (weights !== undefined) await copyFile(await state.blobs.localPath(weights), join(input.folder, weightsFile));
  await writeFile(join(input.folder, 'vocabulary.json'), JSON.stringify(shifted));
  await writeFile(
    join(input.folder, 'guest.json'),
    JSON.stringify({ interface: recommendGraphInterface, name: 'vocabulary off by one', maxHistory: manifest.maxHistory }),
  );
}
