import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { State } from '../../activities/context.ts';
import { registeredViews, registerView } from '../../activities/features/register-view.ts';
import { type FeatureView, featureViews } from '../../models/contracts/feature.ts';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';
import { loadSurfaceConfig } from '../surface-config.ts';

type Input = { state: State; surface: string; cwd: string; config: string | undefined; view: string | undefined };

/**
 * The views of a surface, the newest version of each: those that are registered or, with a configuration, its `features`, which are registered
 * first. With `view`, only this one.
 * @throws UND-CHARTER naming every mistake of the configuration; UND-INPUT where it is another surface's, or a version has another definition;
 * UND-NOT-FOUND where there is none
 */
export async function surfaceViews({ state, surface, cwd, config, view }: Input): Promise<FeatureView[]> {
  const views = config === undefined ? await registeredViews(state, surface) : await fromConfig({ state, surface, path: resolve(cwd, config) });
  const wanted = views.filter(({ name }) => view === undefined || name === view);
  if (wanted.length > 0) return wanted;
  const known = views.map(({ name }) => name).join(', ') || 'none';
  throw new UnderstudyError(
    'UND-NOT-FOUND',
    view === undefined
      ? `${surface} has no feature view. Export \`features\` from its understudy.config.ts, and name the file with --config`
      : `${surface} has no feature view ${view}; it has ${known}`,
  );
}

async function fromConfig({ state, surface, path }: { state: State; surface: string; path: string }): Promise<FeatureView[]> {
  const { charter } = await loadSurfaceConfig(path);
  if (charter.surface !== surface) throw new UnderstudyError('UND-INPUT', `${path} is about ${charter.surface}, not about ${surface}`);
  const module = (await import(pathToFileURL(path).href)) as { features?: unknown };
  const parsed = featureViews.safeParse(module.features ?? []);
  if (!parsed.success)
    throw inputError(
      'UND-CHARTER',
      path,
      parsed.error.issues.map((issue) => ({ ...issue, path: ['features', ...issue.path] })),
    );
  for (const view of parsed.data) await registerView(state, { surface, view });
  return parsed.data;
}
