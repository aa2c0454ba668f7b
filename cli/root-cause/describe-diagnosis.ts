import type { Diagnosis, Evidence, RootCauseStatus } from '../../models/contracts/root-cause.ts';
import { table } from '../output.ts';

const placeOf = (where: Record<string, string>): string =>
  Object.entries(where)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ') || 'everywhere';
const saying = (evidence: readonly Evidence[], speaks: Evidence['speaks']): string[] => evidence.filter((one) => one.speaks === speaks).map(({ says }) => says);

/** The layer, the suspects with what speaks for and against each, what was ruled out, and the mend. */
export function describeDiagnosis({ layer, suspects, ruledOut, notLookedAt, mend, note }: Diagnosis, missing: readonly string[]): string {
  const lines = [`layer       ${layer ?? 'none: nothing is wrong that could be seen'}`, `note        ${note}`];
  if (suspects.length > 0)
    lines.push(
      '',
      table(
        ['', 'suspect', 'layer', 'where', 'score', 'explains', 'for (+) and against (-)'],
        suspects.flatMap(({ cause, layer: own, where, score, explained, evidence }, place) => {
          const signs = [...saying(evidence, 'for').map((one) => `+ ${one}`), ...saying(evidence, 'against').map((one) => `- ${one}`)];
          const head = [String(place + 1), cause, own, placeOf(where), score.toFixed(2), explained === null ? '' : `${Math.round(explained * 100)} %`];
          return signs.map((one, line) => (line === 0 ? [...head, one] : ['', '', '', '', '', '', one]));
        }),
      ),
    );
  if (ruledOut.length > 0)
    lines.push(
      '',
      table(
        ['ruled out', 'because'],
        ruledOut.map(({ cause, why }) => [cause, why]),
      ),
    );
  if (notLookedAt.length > 0)
    lines.push(
      '',
      table(
        ['not looked at', 'because'],
        notLookedAt.map(({ cause, why }) => [cause, why]),
      ),
    );
  if (missing.length > 0) lines.push('', 'not measured', ...missing.map((one) => `  ${one}`));
  lines.push(
    '',
    mend === null ? 'mend        none: nothing of ours would help' : `mend        ${mend.action}${mend.target === null ? '' : ` ${mend.target}`}: ${mend.why}`,
  );
  return lines.join('\n');
}

/** Where its workflow stands, and what a person is to do. */
export function describeStatus({ id, phase, why, outcome, mends, look, evidence }: RootCauseStatus): string {
  const lines = [`root cause  ${id}`, `stands      ${outcome ?? phase}${look > 1 ? `, look ${look}` : ''}: ${why}`];
  for (const { action, target, by, did } of mends) lines.push(`done        ${action}${target === null ? '' : ` ${target}`}, by ${by}: ${did}`);
  if (phase === 'approval') lines.push(`decide      understudy root-cause approve ${id} --by NAME (or reject --by NAME --why TEXT); on ${evidence}`);
  return lines.join('\n');
}
