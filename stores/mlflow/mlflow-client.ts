import { z } from 'zod';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { createCaller } from './call-mlflow.ts';

/*
 * A thin client of the MLflow REST API 2.0 (tracking, artifacts through the server's proxy, model registry). It knows nothing of
 * the rest of the house but its error class. What is created is found again by a tag of ours, since MLflow has no
 * idempotency keys.
 */

const keyTag = 'understudy.key';
const artifactTag = 'understudy.artifact';
/** The server's limits: a batch holds 1000 metrics, 100 params, 100 tags; values 6000 and 5000 characters. */
const limits = { metrics: 1000, params: 100, tags: 100, paramChars: 6000, tagChars: 5000 } as const;

export type MlflowRun = { runId: string; experimentId: string; startedAtMs: number; artifactUri: string };
export type MetricPoint = { name: string; value: number; step: number; atMs: number };
export type ModelVersion = { version: string; artifact: string | null; runId: string };
export type MlflowClient = {
  /** The run with this key, made when there is none; it then has these tags. */
  findOrCreateRun(input: { experiment: string; key: string; name: string; tags?: Record<string, string> }): Promise<MlflowRun>;
  /** Makes nothing. */
  findRun(input: { experiment: string; key: string }): Promise<MlflowRun | undefined>;
  /** Params never change: the same value again is accepted, another is refused by the server. */
  logParams(input: { runId: string; params: Record<string, string> }): Promise<void>;
  /** A metric's identity includes its time: give the same `atMs` on a retry. */
  logMetrics(input: { runId: string; metrics: Record<string, number>; atMs: number; step?: number }): Promise<void>;
  /** Points of curves; the same rule. */
  logPoints(input: { runId: string; points: readonly MetricPoint[] }): Promise<void>;
  readRun(input: { runId: string }): Promise<{ params: Record<string, string>; metrics: Record<string, number>; tags: Record<string, string>; status: string }>;
  endRun(input: { runId: string; status: 'FINISHED' | 'FAILED' | 'KILLED' }): Promise<void>;
  uploadArtifact(input: { runId: string; path: string; bytes: Uint8Array }): Promise<void>;
  downloadArtifact(input: { runId: string; path: string }): Promise<Uint8Array>;
  createRegisteredModel(input: { model: string }): Promise<void>;
  /** The version that carries this artifact, made when there is none. */
  createModelVersion(input: { model: string; runId: string; path: string; artifact: string; tags?: Record<string, string> }): Promise<ModelVersion>;
  findVersion(input: { model: string; artifact: string }): Promise<ModelVersion | undefined>;
  setVersionTag(input: { model: string; version: string; key: string; value: string }): Promise<void>;
  setAlias(input: { model: string; alias: string; version: string }): Promise<void>;
  getByAlias(input: { model: string; alias: string }): Promise<ModelVersion | undefined>;
  deleteAlias(input: { model: string; alias: string }): Promise<void>;
};

const runSchema = z.object({
  run: z.object({
    info: z.object({ run_id: z.string(), experiment_id: z.string(), start_time: z.coerce.number(), artifact_uri: z.string(), status: z.string() }),
    data: z
      .object({
        params: z.array(z.object({ key: z.string(), value: z.string() })).default([]),
        metrics: z.array(z.object({ key: z.string(), value: z.coerce.number() })).default([]),
        tags: z.array(z.object({ key: z.string(), value: z.string() })).default([]),
      })
      .prefault({}),
  }),
});
const versionSchema = z.object({
  version: z.coerce.string(),
  run_id: z.string().default(''),
  tags: z.array(z.object({ key: z.string(), value: z.string() })).default([]),
});

/**
 * @param retryForMs how long a server that does not answer, or answers 5xx, is asked again.
 * Every method throws UND-MLFLOW with the server's own message.
 */
export function createMlflow({
  trackingUri,
  token,
  retryForMs = 20_000,
}: {
  trackingUri: string;
  token?: string | undefined;
  retryForMs?: number;
}): MlflowClient {
  const base = trackingUri.replace(/\/+$/, '');
  const call = createCaller({ base, token, retryForMs });
  const api = async <T>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload: Record<string, unknown>, schema: z.ZodType<T>): Promise<T> => {
    const url = method === 'GET' ? `/api/2.0/mlflow/${path}?${new URLSearchParams(payload as Record<string, string>)}` : `/api/2.0/mlflow/${path}`;
    const bytes = await call(method, url, method === 'GET' ? undefined : JSON.stringify(payload));
    const parsed = schema.safeParse(fromJson(Buffer.from(bytes).toString('utf8') || '{}', path));
    if (!parsed.success) throw new UnderstudyError('UND-MLFLOW', `${path} answered something else than expected: ${parsed.error.message}`);
    return parsed.data;
  };
  const nothing = z.unknown();

  async function findExperiment(name: string): Promise<string | undefined> {
    const found = await absent(
      () => api('GET', 'experiments/get-by-name', { experiment_name: name }, z.object({ experiment: z.object({ experiment_id: z.string() }) })),
      'RESOURCE_DOES_NOT_EXIST',
    );
    return found?.experiment.experiment_id;
  }

  async function experimentId(name: string): Promise<string> {
    const found = await findExperiment(name);
    if (found !== undefined) return found;
    const created = await absent(() => api('POST', 'experiments/create', { name }, z.object({ experiment_id: z.string() })), 'RESOURCE_ALREADY_EXISTS');
    return created?.experiment_id ?? experimentId(name);
  }

  const toRun = ({ info }: z.infer<typeof runSchema>['run']): MlflowRun => ({
    runId: info.run_id,
    experimentId: info.experiment_id,
    startedAtMs: info.start_time,
    artifactUri: info.artifact_uri,
  });
  async function searchRun(experiment: string, key: string): Promise<z.infer<typeof runSchema>['run'] | undefined> {
    const filter = `tags."${keyTag}" = '${key.replaceAll("'", "\\'")}'`;
    const search = await api(
      'POST',
      'runs/search',
      { experiment_ids: [experiment], filter, max_results: 1, order_by: ['attributes.start_time ASC'] },
      z.object({ runs: z.array(runSchema.shape.run).default([]) }),
    );
    return search.runs[0];
  }

  const toVersion = (version: z.infer<typeof versionSchema>): ModelVersion => ({
    version: version.version,
    runId: version.run_id,
    artifact: version.tags.find((tag) => tag.key === artifactTag)?.value ?? null,
  });
  const artifactUrl = async (runId: string, path: string): Promise<string> => {
    const { run } = await api('GET', 'runs/get', { run_id: runId }, runSchema);
    const root = run.info.artifact_uri.replace(/^mlflow-artifacts:\/*/, '');
    if (!run.info.artifact_uri.startsWith('mlflow-artifacts:'))
      throw new UnderstudyError('UND-MLFLOW', `The server does not proxy artifacts (${run.info.artifact_uri}); start it with --artifacts-destination`);
    return `/api/2.0/mlflow-artifacts/artifacts/${[...root.split('/'), ...path.split('/')].map(encodeURIComponent).join('/')}`;
  };

  const client: MlflowClient = {
    async findRun({ experiment, key }) {
      const id = await findExperiment(experiment);
      const found = id === undefined ? undefined : await searchRun(id, key);
      return found === undefined ? undefined : toRun(found);
    },

    async findOrCreateRun({ experiment, key, name, tags = {} }) {
      const id = await experimentId(experiment);
      const found = await searchRun(id, key);
      if (found !== undefined) {
        if (Object.keys(tags).length > 0) await api('POST', 'runs/log-batch', { run_id: found.info.run_id, tags: tagList(tags) }, nothing);
        return toRun(found);
      }
      const created = await api(
        'POST',
        'runs/create',
        { experiment_id: id, run_name: name, start_time: Date.now(), tags: tagList({ ...tags, [keyTag]: key }) },
        runSchema,
      );
      return toRun(created.run);
    },

    async logParams({ runId, params }) {
      const list = Object.entries(params).map(([key, value]) => ({ key, value: value.slice(0, limits.paramChars) }));
      for (const batch of chunks(list, limits.params)) await api('POST', 'runs/log-batch', { run_id: runId, params: batch }, nothing);
    },

    async logMetrics({ runId, metrics, atMs, step = 0 }) {
      await client.logPoints({ runId, points: Object.entries(metrics).map(([name, value]) => ({ name, value, step, atMs })) });
    },

    async logPoints({ runId, points }) {
      const list = points.map(({ name, value, step, atMs }) => ({ key: name, value, timestamp: atMs, step }));
      for (const batch of chunks(list, limits.metrics)) await api('POST', 'runs/log-batch', { run_id: runId, metrics: batch }, nothing);
    },

    async readRun({ runId }) {
      const { run } = await api('GET', 'runs/get', { run_id: runId }, runSchema);
      const record = <T>(pairs: { key: string; value: T }[]) => Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
      return { params: record(run.data.params), metrics: record(run.data.metrics), tags: record(run.data.tags), status: run.info.status };
    },

    async endRun({ runId, status }) {
      await api('POST', 'runs/update', { run_id: runId, status, end_time: Date.now() }, nothing);
    },

    async uploadArtifact({ runId, path, bytes }) {
      await call('PUT', await artifactUrl(runId, path), bytes);
    },

    async downloadArtifact({ runId, path }) {
      return call('GET', await artifactUrl(runId, path), undefined);
    },

    async createRegisteredModel({ model }) {
      await absent(() => api('POST', 'registered-models/create', { name: model }, nothing), 'RESOURCE_ALREADY_EXISTS');
    },

    async createModelVersion({ model, runId, path, artifact, tags = {} }) {
      const found = await client.findVersion({ model, artifact });
      if (found !== undefined) return found;
      const { run } = await api('GET', 'runs/get', { run_id: runId }, runSchema);
      const created = await api(
        'POST',
        'model-versions/create',
        { name: model, source: `${run.info.artifact_uri}/${path}`, run_id: runId, tags: tagList({ ...tags, [artifactTag]: artifact }) },
        z.object({ model_version: versionSchema }),
      );
      return toVersion(created.model_version);
    },

    async findVersion({ model, artifact }) {
      const filter = `name = '${model}' AND tags."${artifactTag}" = '${artifact}'`;
      const found = await api('GET', 'model-versions/search', { filter, max_results: '1' }, z.object({ model_versions: z.array(versionSchema).default([]) }));
      return found.model_versions[0] === undefined ? undefined : toVersion(found.model_versions[0]);
    },

    async setVersionTag({ model, version, key, value }) {
      await api('POST', 'model-versions/set-tag', { name: model, version, key, value: value.slice(0, limits.tagChars) }, nothing);
    },

    async setAlias({ model, alias, version }) {
      await api('POST', 'registered-models/alias', { name: model, alias, version }, nothing);
    },

    async getByAlias({ model, alias }) {
      // A missing model and a missing alias are told apart by nobody who asks here.
      const found = await absent(
        () => api('GET', 'registered-models/alias', { name: model, alias }, z.object({ model_version: versionSchema })),
        'RESOURCE_DOES_NOT_EXIST',
        'INVALID_PARAMETER_VALUE',
      );
      return found === undefined ? undefined : toVersion(found.model_version);
    },

    async deleteAlias({ model, alias }) {
      await absent(() => api('DELETE', 'registered-models/alias', { name: model, alias }, nothing), 'RESOURCE_DOES_NOT_EXIST', 'INVALID_PARAMETER_VALUE');
    },
  };
  return client;
}

/** Undefined where the server's error code is one of those named. */
async function absent<T>(ask: () => Promise<T>, ...codes: string[]): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof UnderstudyError && codes.includes(String(error.details.mlflowCode))) return undefined;
    throw error;
  }
}

function tagList(tags: Record<string, string>): { key: string; value: string }[] {
  return Object.entries(tags)
    .slice(0, limits.tags)
    .map(([key, value]) => ({ key, value: value.slice(0, limits.tagChars) }));
}

function* chunks<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}

/** What stands between us and the server may answer with a page of its own, and go away again. */
function fromJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnderstudyError('UND-MLFLOW', `${path} was not answered in JSON: ${text.slice(0, 100)}`, { cause });
  }
}
