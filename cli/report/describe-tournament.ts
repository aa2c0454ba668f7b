import type { LedgerEntry } from '../../models/contracts/release.ts';
import { type Tournament, type TournamentEntry, tournament } from '../../models/contracts/tournament.ts';
import { table } from '../output.ts';
import { intervalText } from './interval-text.ts';

/** The newest comparison of candidates that an artifact took part in, as the ledger has it. */
export function tournamentOf(ledger: readonly LedgerEntry[], artifact: string): Tournament | undefined {
  const held = ledger.flatMap(({ action, detail }) => (action === 'tournament' ? [tournament.parse(detail)] : []));
  return held.findLast(({ entries }) => entries.some((one) => one.artifact === artifact));
}

/** The candidates side by side, the best first, and the sentence. */
export function describeTournament({ metric, margin, confidence, entries, message }: Tournament): string {
  const row = (one: TournamentEntry) => [
    one.candidate,
    intervalText(one.quality),
    one.lift === null ? 'the best' : intervalText(one.lift, true),
    one.trainSeconds === null ? '-' : `${one.trainSeconds.toFixed(1)} s`,
    `${(one.bytes / 1e6).toFixed(2)} MB`,
    `${one.p50Ms.toFixed(2)} / ${one.p99Ms.toFixed(2)}`,
    one.isTaken ? 'goes on' : one.isNear ? 'near the best' : '',
  ];
  const about = `Near the best is what is not worse than it by more than ${margin.toPrecision(2)}, paired by user; of all such claims one in ${Math.round(1 / (1 - confidence))} is wrong by chance.`;
  return `${table(['candidates of the request', metric, 'against the best', 'training', 'size', 'p50 / p99, ms', ''], entries.map(row))}\n${about}\n${message}.`;
}
