import type { RootCauseFacts } from '../../models/contracts/root-cause.ts';
import type { DeploymentSpec } from '../../models/contracts/deployment.ts';
import { isLive, type ReplicaReport, replicaReports } from '../../stores/replicas.ts';

type ReplicaFact = RootCauseFacts['replicas'][number];
type Input = { root: string; surface: string; deployments: readonly DeploymentSpec[]; nowMs: number };

/** A replica that does not answer within this is none that anybody waits for. */
const patienceMs = 2_000;

/**
 * What the replicas say of themselves, each asked at its own address, so that one whose report is old (it cannot write, or it is gone) is told from one that
 * answers.
 */
export async function lookAtReplicas({ root, surface, deployments, nowMs }: Input): Promise<{ replicas: ReplicaFact[]; missing: string[] }> {
  const missing: string[] = [];
  const reports = (await replicaReports(root)).filter((report) => report.surfaces[surface] !== undefined);
  const replicas = await Promise.all(
    reports.map(async (report): Promise<ReplicaFact> => {
      const [ready, metrics] = await Promise.all([ask(report, '/readyz'), ask(report, '/metrics')]);
      const generation = generationIn(ready, surface) ?? report.surfaces[surface]?.generation ?? 0;
      if (metrics === undefined) missing.push(`counters of the replica ${report.replica}: it does not answer at ${report.url}`);
      const counted = (name: string, where: (labels: string) => boolean) => sumOf(metrics ?? '', name, where);
      const ofRecommend = (labels: string) => labels.includes('route="/v1/recommend"');
      return {
        replica: report.replica,
        // One that cannot write its report serves all the same; a stopped one neither reports nor answers.
        live: ready !== undefined || isLive(report, { nowMs, withinMs: 10_000 }),
        generation,
        behindMs: behindMs(deployments, generation, nowMs),
        requests: counted('understudy_http_request_seconds_count', ofRecommend),
        failed: counted('understudy_http_request_seconds_count', (labels) => ofRecommend(labels) && /status="5/.test(labels)),
        modelFailures: counted('understudy_model_failures_total', (labels) => labels.includes(`surface="${surface}"`)),
      };
    }),
  );
  if (replicas.length === 0) missing.push('replicas: none reports itself in this state directory');
  return { replicas, missing };
}

async function ask({ url }: ReplicaReport, path: string): Promise<string | undefined> {
  try {
    const answer = await fetch(new URL(path, url), { signal: AbortSignal.timeout(patienceMs) });
    return await answer.text();
  } catch {
    return undefined;
  }
}

function generationIn(ready: string | undefined, surface: string): number | undefined {
  try {
    const { surfaces } = JSON.parse(ready ?? '{}') as { surfaces?: Record<string, { generation?: unknown }> };
    const generation = surfaces?.[surface]?.generation;
    return typeof generation === 'number' ? generation : undefined;
  } catch {
    return undefined;
  }
}

function behindMs(deployments: readonly DeploymentSpec[], generation: number, nowMs: number): number {
  const next = deployments.find((spec) => spec.generation > generation);
  return next === undefined ? 0 : Math.max(0, nowMs - next.createdAtMs);
}

/** Over all series of a name that have such labels; Prometheus text has a series a line. */
function sumOf(text: string, name: string, where: (labels: string) => boolean): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (found?.[1] === name && where(found[2] ?? '')) sum += Number(found[3]);
  }
  return sum;
}
