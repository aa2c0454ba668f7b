import { z } from 'zod';
import { digestString, externalId, machineName } from './ids.ts';
import { interval } from './verdict.ts';

/** Which cost decides between candidates of like quality: seconds of training, bytes that serve, or milliseconds of the slowest hundredth of requests. */
export const tournamentCosts = ['training', 'size', 'latency'] as const;

/** A candidate's figures by the primary metric, summed up by groups of users in the order of the test part: what comparing it with another of the same window needs. */
export const userSums = z.strictObject({
  kind: z.literal('user-sums'),
  metric: z.string(),
  users: z.number().int().min(1),
  groups: z.number().int().min(1),
  /** [min(groups, users)] */
  sums: z.array(z.number()).min(1),
});
export type UserSums = z.output<typeof userSums>;

/** `trainSeconds` is null where it was not trained here. Latencies are of the graph alone, one request after another, measured when the candidates were compared. */
export const tournamentEntry = z.strictObject({
  candidate: machineName,
  runId: externalId,
  artifact: digestString,
  quality: interval,
  /** This minus the best, paired by user; null of the best. */
  lift: interval.nullable(),
  /** Not worse than the best by more than the margin, with the confidence that is said. */
  isNear: z.boolean(),
  isTaken: z.boolean(),
  trainSeconds: z.number().nullable(),
  bytes: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
});
export type TournamentEntry = z.output<typeof tournamentEntry>;

/** Why which candidates of one request went on: `detail` of the ledger's entry. */
export const tournament = z.strictObject({
  /** The sentence. */
  message: z.string(),
  metric: z.string(),
  /** In units of the metric. */
  margin: z.number(),
  cheapest: z.enum(tournamentCosts),
  confidence: z.number(),
  /** The best first. */
  entries: z.array(tournamentEntry).min(2),
});
export type Tournament = z.output<typeof tournament>;
