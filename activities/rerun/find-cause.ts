import { type BlobStore, getDocument } from '../../stores/blobs.ts';
import type { RerunCause } from '../api.ts';
import { type Making, sourceFiles } from './making.ts';

/** What of the making of two results is not the same, by cause. A text for each, with what it was and what it became. */
export type Changes = { code: string[]; library: string[]; hardware: string[] };

const unknownChanges: Changes = { code: [], library: [], hardware: [] };

/** Compares how two results were made; null where one of them does not say. */
export async function changesBetween(blobs: BlobStore, first: Making | null, again: Making | null): Promise<Changes | null> {
  if (first === null || again === null) return null;
  return {
    code: first.code.files === again.code.files ? [] : await changedFiles(blobs, first.code.files, await getDocument(blobs, again.code.files, sourceFiles)),
    library: changed(first.libraries, again.libraries),
    hardware: changed(first.host, again.host),
  };
}

/** Names the source files that are not the same. @param first digest of a document of them */
export async function changedFiles(blobs: BlobStore, first: string, again: Record<string, string>): Promise<string[]> {
  const before = await getDocument(blobs, first, sourceFiles).catch(() => undefined);
  if (before === undefined) return ['which files, is not kept any more'];
  return [...new Set([...Object.keys(before), ...Object.keys(again)])].sort().flatMap((path) => {
    const [was, is] = [before[path], again[path]];
    return was === is ? [] : [`${path}${was === undefined ? ' is new' : is === undefined ? ' is gone' : ''}`];
  });
}

function changed(first: Record<string, unknown>, again: Record<string, unknown>): string[] {
  return [...new Set([...Object.keys(first), ...Object.keys(again)])].sort().flatMap((key) => {
    const [was, is] = [first[key], again[key]].map((value) => (value === undefined ? 'nothing' : Array.isArray(value) ? value.join(' ') : String(value)));
    return was === is ? [] : [`${key}: ${was} became ${is}`];
  });
}

export type Cause = { cause: RerunCause; why: string; remedy: string; also: string[] };

/** Ends in what is to be done. `{RUN}` stands for the run's id. */
const remedies: Record<RerunCause, string> = {
  data: 'Restore what is named from a backup; where the data were changed on purpose, retrain on them as they are now.',
  code: '`understudy rerun {RUN} --at-recorded-code` makes it by the code that it was made by; the files that are named say what changed since.',
  parameter: "The run's record names another recipe than its artifact was made by: look at who changed it, or rerun the run that has this recipe.",
  library: 'Install the versions that are named (`npm ci` at the commit of the run), and rerun.',
  hardware: 'Rerun on a machine, and with settings, as the run had them.',
  unexplained: 'Nothing that is recorded explains it. Rerun once more: what differs each time is a defect; report it with both digests.',
};

type Suspects = { stage: string; data?: string | undefined; parameter?: string | undefined; changes: Changes | null };

/** The first of the suspects, in an order in which each explains what comes after it; what else changed is named beside it. */
export function findCause({ stage, data, parameter, changes }: Suspects): Cause {
  const { code, library, hardware } = changes ?? unknownChanges;
  const suspects: [RerunCause, string[]][] = [
    ['data', data === undefined ? [] : [data]],
    ['parameter', parameter === undefined ? [] : [parameter]],
    ['code', code],
    ['library', library],
    ['hardware', hardware],
  ];
  const [first, ...others] = suspects.filter(([, whys]) => whys.length > 0);
  const also = others.map(([cause, whys]) => `${cause}: ${few(whys)}`);
  if (first !== undefined) return { cause: first[0], why: few(first[1]), remedy: remedies[first[0]], also };
  if (stage === 'train-matrix') return { cause: 'data', why: otherMatrix, remedy: remedies.data, also };
  const why =
    changes === null ? 'the run does not say by which code, libraries and machine it was made' : 'the same data, code, parameters, libraries and machine';
  return { cause: 'unexplained', why, remedy: remedies.unexplained, also };
}

const otherMatrix = 'the same slices gave another matrix, by the same code, libraries and machine: a copy that was read on the way is not what it was';

const shownAtMost = 8;

/** As many as a person reads, and how many more there are. */
export const few = (whys: readonly string[]): string =>
  [...whys.slice(0, shownAtMost), ...(whys.length > shownAtMost ? [`and ${whys.length - shownAtMost} more`] : [])].join('; ');
