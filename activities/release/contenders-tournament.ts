import { decideTournament, type Entrant } from '../../experiments/tournament.ts';
import { quantile } from '../../experiments/ranking/grouped-means.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import type { CandidateSubmission } from '../../models/contracts/release.ts';
import type { Report } from '../../models/contracts/report.ts';
import { type Tournament, tournament as tournamentSchema, userSums } from '../../models/contracts/tournament.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import { getDocument } from '../../stores/blobs.ts';
import { appendLedger } from '../../stores/ledger.ts';
import type { Context, State } from '../context.ts';
import { requireRun } from '../registry/runs.ts';

type Contender = { submission: CandidateSubmission; report: Report };

/**
 * The comparison that the charter's `gates.tournament` asks for, in the ledger. Latencies are measured now, so that the first decision on the same reports
 * stays, however often this is asked. Undefined where the charter asks for none, and where the reports cannot be compared user by user: they are of different
 * windows, or were made before the charter asked.
 */
export async function holdTournament(
  context: Context,
  { charter, contenders }: { charter: Charter; contenders: readonly Contender[] },
): Promise<Tournament | undefined> {
  const { gates, release, surface } = charter;
  const { state } = context;
  const [first] = contenders;
  if (gates.tournament === undefined || first === undefined || contenders.length < 2) return undefined;
  const sums = await Promise.all(
    contenders.map(({ report }) => (report.userSums === undefined ? undefined : getDocument(state.blobs, report.userSums, userSums))),
  );
  const entrants: Entrant[] = [];
  for (const [place, { submission, report }] of contenders.entries()) {
    const [own, reference] = [sums[place], sums[0]];
    if (own === undefined || reference === undefined || report.window !== first.report.window) return undefined;
    if (own.metric !== reference.metric || own.users !== reference.users || own.groups !== reference.groups) return undefined;
    const { candidate, runId, artifact } = submission;
    const { trainSeconds, bytes, algorithm } = await requireRun(context, runId);
    const latency = await measureLatency(state, { artifact, count: charter.exploration.poolDepth });
    entrants.push({ candidate, runId, artifact, sums: own, trainSeconds: algorithm === 'guest' ? null : trainSeconds, bytes, ...latency });
  }
  const { seed } = await getDocument(state.blobs, first.report.window, windowManifest);
  const held = decideTournament({ entrants, ...gates.tournament, taken: release.challengers, seed });
  const entry = await appendLedger(state.generations, {
    operationId: `tournament/${digestJson(contenders.map(({ submission }) => submission.report).sort()).slice(7, 23)}`,
    atMs: context.now(),
    surface,
    action: 'tournament',
    by: held.entries[0]?.runId ?? '',
    releaseId: null,
    detail: held,
  });
  return tournamentSchema.parse(entry.detail);
}

const rounds = 15;

/** Of the graph alone, in one thread, by the requests of its parity record; milliseconds. */
async function measureLatency(
  { blobs, generations }: State,
  { artifact, count }: { artifact: string; count: number },
): Promise<{ p50Ms: number; p99Ms: number }> {
  const { graphPath, vocabulary, manifest, parity } = await loadArtifact({ blobs, generations, digest: artifact });
  const graph = await openRecommendGraph({ path: graphPath, itemCount: vocabulary.length, maxHistory: manifest.maxHistory });
  try {
    const tookMs: number[] = [];
    // The first round warms up.
    for (let round = 0; round <= rounds; round += 1)
      for (const { history, historyWeight, exclude } of parity.requests) {
        const startedMs = performance.now();
        await graph.recommend({ history, historyWeight, exclude, count: Math.min(count, vocabulary.length) });
        if (round > 0) tookMs.push(performance.now() - startedMs);
      }
    const sorted = Float64Array.from(tookMs).sort();
    const at = (probability: number) => Number(quantile(sorted, probability).toFixed(3));
    return sorted.length === 0 ? { p50Ms: 0, p99Ms: 0 } : { p50Ms: at(0.5), p99Ms: at(0.99) };
  } finally {
    await graph.close();
  }
}
