import type { TrafficRow } from '../../models/contracts/root-cause.ts';
import { compare } from './expectation.ts';
import { type Examine, found, type Look, none, percent, sign, slates, unknown, unusual } from './look.ts';

const reward = (row: TrafficRow): number => row.reward;

const season: Examine = (look) => {
  const volume = compare({ units: look.units, numerator: look.byUnit(look.traffic, slates) });
  if (volume === undefined || !look.traffic.some(look.isNow)) return unknown('season', 'there are too few comparable stretches with slates');
  if (Math.abs(volume.deviations) < unusual || (volume.ratio > 0.75 && volume.ratio < 1.35))
    return none('season', `${percent(volume.ratio)} as many slates as expected are asked for`);
  const shares = movedShares(look);
  const evidence = [sign('for', `${percent(volume.ratio)} as many slates as expected are asked for`, volume)];
  evidence.push(
    shares.length === 0
      ? sign('for', 'by the same visitors as always')
      : sign('against', `not by the same visitors: ${shares.map(({ name }) => name).join(', ')}`),
  );
  const worth = look.adjustedRate(reward, look.shown);
  if (worth !== undefined)
    evidence.push(sign(Math.abs(worth.deviations) < unusual ? 'for' : 'against', `each is worth ${percent(worth.ratio)} of what such visitors give`, worth));
  if (shares.length > 0) return none('season', `the ${volume.ratio > 1 ? 'more' : 'fewer'} slates are not asked for by the same visitors as always`);
  return found({ cause: 'season', where: {}, deviations: Math.abs(volume.deviations), evidence });
};

const promotion: Examine = (look) => {
  const worth = look.adjustedRate(reward, look.shown);
  const named = look.units.find(({ now, promotion: name }) => now && name !== null)?.promotion;
  if (worth === undefined) return unknown('promotion', 'there are too few comparable stretches with slates');
  const isMore = worth.deviations >= unusual && worth.ratio >= 1.2;
  if (!isMore)
    return none('promotion', `a slate is worth ${percent(worth.ratio)} of what such visitors give${named === undefined ? '' : `, although there is ${named}`}`);
  const evidence = [sign('for', `a slate is worth ${percent(worth.ratio)} of what such visitors give`, worth)];
  if (named !== undefined) evidence.push(sign('for', `there is ${named}`));
  return found({ cause: 'promotion', where: {}, deviations: worth.deviations, evidence });
};

/** Sorts of visitors whose share in all slates is another: by eight hundredths, and by more than is usual. */
function movedShares(look: Look): { member: string; name: string; value: number; expected: number; deviations: number }[] {
  const volume = look.byUnit(look.traffic, slates);
  return (['country', 'device', 'segment'] as const).flatMap((member) => {
    const names = [...new Set(look.traffic.map((row) => row[member]))].sort();
    return names.flatMap((name) => {
      const one = compare({
        units: look.units,
        numerator: look.byUnit(
          look.traffic.filter((row) => row[member] === name),
          slates,
        ),
        denominator: volume,
      });
      return one !== undefined && Math.abs(one.deviations) >= unusual && Math.abs(one.value - one.expected) >= 0.08 ? [{ member, name, ...one }] : [];
    });
  });
}

const trafficMix: Examine = (look) => {
  const moved = movedShares(look);
  if (look.traffic.length === 0) return unknown('traffic-mix', 'there are no slates');
  if (moved.length === 0) return none('traffic-mix', 'the visitors are those of always');
  // The one that has grown is what came; that others' shares are smaller is arithmetic.
  const [main] = moved.toSorted((a, b) => Math.log(b.value / b.expected) - Math.log(a.value / a.expected)) as [(typeof moved)[number]];
  return found({
    cause: 'traffic-mix',
    where: { [main.member]: main.name },
    deviations: Math.abs(main.deviations),
    evidence: moved.map((one) => sign('for', `${percent(one.value)} of slates are of ${one.member} ${one.name}, ${percent(one.expected)} expected`, one)),
  });
};

export const outsideCauses: readonly Examine[] = [season, promotion, trafficMix];
