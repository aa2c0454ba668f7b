import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { digestJson } from '../../models/contracts/digest.ts';
import { type Digest, digestString } from '../../models/contracts/ids.ts';
import { type BlobStore, putDocument } from '../../stores/blobs.ts';
import { host, readHost } from './read-host.ts';
import { readSources, readVersions } from './read-sources.ts';

/**
 * How something was made: an attestation beside the run, by which a rerun that differs can be explained. It is no part of what is compared; its
 * `digests` are, which name what stood between the slices and the result.
 */
export const making = z.strictObject({
  kind: z.literal('making'),
  code: z.strictObject({
    /** Of git; null where the code is no checkout of its own. */
    commit: z.string().nullable(),
    /** Names a document of `{ path: digest }`: the source files that take part in training and evaluation. */
    files: digestString,
  }),
  /** Node and every package that takes part, by name. */
  libraries: z.record(z.string(), z.string()),
  host,
  digests: z.record(z.string(), z.string()),
});
export type Making = z.infer<typeof making>;

/** `{ path: digest }` */
export const sourceFiles = z.record(z.string(), digestString);

/** Of the code that runs. */
export const ownRoot = fileURLToPath(new URL('../../', import.meta.url));
const entries = ['activities/training/train-candidate.ts', 'activities/evidence/evaluate-candidate.ts'];
/** They are imported too, and change no number. */
const without = ['activities/rerun/compare-run.ts', 'activities/rerun/check-inputs.ts'];

export type Code = { commit: string | null; files: Record<string, Digest>; libraries: Record<string, string> };

/** The code of training and evaluation as it lies on the disk, and what it runs on. */
export async function readCode(root: string): Promise<Code> {
  const { files, packages } = await readSources({ root, entries, without });
  return { commit: await commitOf(root), files, libraries: { node: process.versions.node, ...(await readVersions({ root, packages })) } };
}

let own: Promise<Code> | undefined;

/** Of this process: read once, the first time that somebody asks. */
export function ownCode(): Promise<Code> {
  own ??= readCode(ownRoot);
  return own;
}

/** Names the files and libraries by which this process trains. */
export async function ownCodeDigest(): Promise<Digest> {
  const { files, libraries } = await ownCode();
  return digestJson({ files, libraries });
}

/** Null without git, and where the folder is not the top of a checkout: what lies above it is not its version. */
async function commitOf(root: string): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('git', ['-C', root, 'rev-parse', '--show-toplevel', 'HEAD'], { timeout: 10_000 });
    const [top = '', commit = ''] = stdout.trim().split('\n');
    return (await realpath(top)) === (await realpath(root)) ? commit : null;
  } catch {
    return null;
  }
}

/** Records how this process makes what the digests name, and on which GPU where it is one. @returns the digest of the `making` */
export async function putMaking(blobs: BlobStore, digests: Record<string, string | undefined>, gpu?: string): Promise<Digest> {
  const { commit, files, libraries } = await ownCode();
  const known = Object.fromEntries(Object.entries(digests).filter((one): one is [string, string] => one[1] !== undefined));
  return putDocument(
    blobs,
    making.parse({
      kind: 'making',
      code: { commit, files: await putDocument(blobs, files) },
      libraries,
      host: { ...(await readHost()), ...(gpu === undefined ? {} : { gpu }) },
      digests: known,
    }),
  );
}
