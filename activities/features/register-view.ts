import { type FeatureRegistration, type FeatureView, featureRegistration, featureView } from '../../models/contracts/feature.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { featureViewDigest } from '../../models/features/view-digest.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { readLatest, type State } from '../context.ts';

type Registry = Pick<State, 'blobs' | 'generations'>;

const seriesOf = (surface: string, view: string) => `features/${surface}/${view}`;

/**
 * Makes the definition the one of its version; the same again adds nothing, a new owner adds a generation.
 * @returns the digest of the definition
 * @throws UND-INPUT where the version has another definition already
 */
export async function registerView({ blobs, generations }: Registry, { surface, view }: { surface: string; view: FeatureView }): Promise<Digest> {
  const digest = featureViewDigest(view);
  const document: FeatureRegistration = {
    ...{ kind: 'feature-view', surface, view: view.name, version: view.version, digest, owner: view.owner },
    definition: await putDocument(blobs, view),
  };
  for (;;) {
    const known = await registrationsOf({ generations }, { surface, view: view.name });
    const before = known.findLast(({ version }) => version === view.version);
    if (before !== undefined && before.digest !== digest) await refuse({ blobs, before, view });
    if (before?.owner === view.owner) return digest;
    try {
      await generations.create(seriesOf(surface, view.name), known.length + 1, document);
      return digest;
    } catch (error) {
      // Somebody registered in the same moment, perhaps the same view.
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

/** All that was registered under a name, the oldest first. */
export async function registrationsOf(
  { generations }: Pick<State, 'generations'>,
  { surface, view }: { surface: string; view: string },
): Promise<FeatureRegistration[]> {
  const series = seriesOf(surface, view);
  const latest = await readLatest(generations, series, featureRegistration);
  const all: FeatureRegistration[] = [];
  for (let generation = 1; generation <= (latest?.generation ?? 0); generation += 1)
    all.push(parseGeneration(featureRegistration, { series, generation, document: await generations.read(series, generation) }));
  return all;
}

async function refuse({ blobs, before, view }: { blobs: State['blobs']; before: FeatureRegistration; view: FeatureView }): Promise<never> {
  const registered = await getDocument(blobs, before.definition, featureView);
  const differs = (Object.keys(featureView.shape) as (keyof FeatureView)[]).filter(
    (field) => field !== 'owner' && JSON.stringify(registered[field]) !== JSON.stringify(view[field]),
  );
  throw new UnderstudyError(
    'UND-INPUT',
    `Version ${view.version} of the feature view ${view.name} is registered with another definition (it differs in ${differs.join(', ')}); a changed definition is a new version`,
    { mistakes: differs.map((field) => ({ path: `/${field}`, message: `differs from what version ${view.version} was registered with` })) },
  );
}

/** The views of a surface, each in its highest version, by name. */
export async function registeredViews({ blobs, generations }: Registry, surface: string): Promise<FeatureView[]> {
  const prefix = seriesOf(surface, '');
  const names = (await generations.series(prefix)).map((series) => series.slice(prefix.length));
  return Promise.all(
    names.map(async (view) => {
      const all = await registrationsOf({ generations }, { surface, view });
      const newest = all.reduce((best, one) => (one.version >= best.version ? one : best));
      return { ...(await getDocument(blobs, newest.definition, featureView)), owner: newest.owner };
    }),
  );
}
