import { Command, InvalidArgumentError, Option } from 'commander';
import { type CanaryStudy, type Outcomes, simulateCanaries } from '../../experiments/canary/simulate-canaries.ts';
import { type CanaryPlan, planCanary } from '../../experiments/canary/plan-canary.ts';
import { charter as charterSchema } from '../../models/contracts/charter.ts';
import { wholeNumber } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';

type Options = {
  champion: number;
  challenger: number[];
  users: number;
  shareCap: number;
  intent: 'replace' | 'refresh';
  margin: number;
  alpha: number;
  horizonBounded?: boolean;
  runs: number;
  seed: number;
  json?: boolean;
};

const helpText = `
The decisions are those of the real canary: the same code looks at drawn conversions instead of at the log. A user counts once, as converted or not.

All reasons for a rollback share the error rate; of several challengers, each gets an equal part of it, and losers leave their share to the others.
'half and half' is the same test with half of the users on the challenger from the first one on (an equal part on each of several).

Example: how many of its users does a challenger that is a fifth worse cost before it is rolled back?
  understudy canary simulate --champion .05 --challenger .04 --users 150000 --share-cap .1`;

/** `understudy canary simulate`: what the canary does, before anybody trusts it with traffic. Needs no server. */
export function canaryCommand(): Command {
  const simulate = new Command('simulate')
    .description('run many canaries of a challenger whose truth is known: how often each outcome, after how many users, at what loss')
    .requiredOption('--champion <rate>', 'conversion rate of the champion', rate)
    .requiredOption('--challenger <rate>', 'conversion rate of the challenger; several at once by giving it again', eachRate)
    .option('--users <n>', 'users in all, after which there is no verdict', wholeNumber, 100_000)
    .option('--share-cap <share>', "the challenger's share at most", cap, 0.5)
    .addOption(
      new Option('--intent <intent>', 'replace: must be better; refresh: must not be worse than the margin').choices(['replace', 'refresh']).default('replace'),
    )
    .option('--margin <share>', "of refresh, as a share of the champion's rate", cap, 0.1)
    .option('--alpha <p>', 'error rate: of all rollbacks together, and of promotion', cap, 0.01)
    .option('--horizon-bounded', 'the number of users is known before, and the test aims at having its verdict with them (the charter: plannedUsers)')
    .option('--runs <n>', 'canaries', wholeNumber, 1_000)
    .option('--seed <n>', 'same seed, same runs', wholeNumber, 1)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', helpText)
    .action(async (options: Options) => {
      const [challenger = options.champion, ...others] = options.challenger;
      const step = progress(`${options.runs} canaries`);
      const study = await simulateCanaries({
        canary: { ...canaryOf(options), ...(options.horizonBounded === true ? { plannedUsers: options.users } : {}) },
        intent: options.intent,
        champion: options.champion,
        challenger,
        others,
        users: options.users,
        runs: options.runs,
        seed: options.seed,
        onRun: (done) => step.note(`${done} done`),
      });
      step.done();
      emit({ json: options.json === true, document: study, text: describe(study, options) });
    });
  return new Command('canary')
    .description('what a canary can tell, and at what cost')
    .addCommand(simulate.exitOverride())
    .addCommand(planCommand().exitOverride());
}

type PlanOptions = Pick<Options, 'shareCap' | 'margin' | 'alpha' | 'runs' | 'seed' | 'json'> & {
  rate: number;
  usersPerDay: number;
  lift: number;
  days: number;
};

/** `understudy canary plan`: how many users and days a verdict takes, before a charter promises one. */
function planCommand(): Command {
  return new Command('plan')
    .description('users and days until a good challenger is promoted, for both intents, and what to change where that is hopeless')
    .requiredOption('--rate <rate>', 'conversion rate of the champion', rate)
    .requiredOption('--users-per-day <n>', 'new users a day', wholeNumber)
    .option('--lift <share>', 'replace: how much better the challenger is', cap, 0.1)
    .option('--margin <share>', "refresh: the margin, as a share of the champion's rate", cap, 0.1)
    .option('--share-cap <share>', "the challenger's share at most", cap, 0.5)
    .option('--alpha <p>', 'error rate: of all rollbacks together, and of promotion', cap, 0.01)
    .option('--days <n>', 'what is thought too long', wholeNumber, 14)
    .option('--runs <n>', 'canaries for each intent', wholeNumber, 20)
    .option('--seed <n>', 'same seed, same plan', wholeNumber, 1)
    .option('--json', 'one JSON document on stdout')
    .action(async (options: PlanOptions) => {
      const { lift, usersPerDay, days: horizonDays, runs, seed } = options;
      const step = progress(`${2 * runs} canaries`);
      let done = 0;
      const onRun = () => step.note(`${++done} done`);
      const plans = await planCanary({ canary: canaryOf(options), rate: options.rate, lift, usersPerDay, horizonDays, runs, seed, onRun });
      step.done();
      emit({ json: options.json === true, document: { plans }, text: describePlan(plans) });
    });
}

function describePlan(plans: readonly CanaryPlan[]): string {
  const spread = (value: { median: number; p95: number } | null) => (value === null ? '-' : `${value.median} (${value.p95})`);
  const lines = plans.map(({ intent, ratio, runs, decided, usersInAll, challengerUsers, days, advice }) => [
    intent,
    `${ratio.toFixed(2)} of the champion`,
    `${decided} of ${runs}`,
    spread(usersInAll),
    spread(challengerUsers),
    spread(days),
    advice ?? '',
  ]);
  return table(['intent', 'challenger', 'promoted', 'users in all (95 %)', 'of the challenger', 'days', ''], lines);
}

/** The charter's own defaults, the ladder cut at the cap, and a handful of users on each rung. */
function canaryOf({ shareCap, margin, alpha }: Pick<Options, 'shareCap' | 'margin' | 'alpha'>) {
  const { ladder, minUnits: _minUnits, ...rest } = charterSchema.shape.release.shape.canary.parse({ minUnits: [1, 1, 1, 1, 1] });
  const rungs = [...ladder.filter((rung) => rung < shareCap), shareCap];
  return { ...rest, ladder: rungs, minUnits: rungs.map((_, place) => Math.min(500, 50 * 2 ** place)), alpha, refreshMargin: margin };
}

function describe(study: CanaryStudy, { champion, challenger }: Pick<Options, 'champion' | 'challenger'>): string {
  const { runs, regret, regretFixedSplit, fixedSplit } = study;
  const row = (what: string, tell: (outcomes: Outcomes) => string) => [what, tell(study), fixedSplit === undefined ? '-' : tell(fixedSplit)];
  const spread = (value: { median: number; p95: number } | null) => (value === null ? '-' : `${value.median} (median), ${value.p95} (95 %)`);
  const worse = Math.max(...challenger) <= champion;
  const ratio = regretFixedSplit > 0 ? `, ${(regret / regretFixedSplit).toFixed(2)} times those of half and half` : '';
  return table(
    [`of ${runs} canaries`, 'this ladder', 'half and half'],
    [
      row('promoted', ({ promoted }) => String(promoted)),
      row('rolled back as worse', ({ rolledBack }) => String(rolledBack)),
      row('no verdict', ({ inconclusive }) => String(inconclusive)),
      row("challenger's users to a verdict", (one) => spread(one.challengerUsersToDecision)),
      row('users in all', (one) => spread(one.usersInAll)),
      [
        worse ? 'conversions lost to worse challengers, a run' : 'conversions forgone while the better one waited, a run',
        `${regret.toFixed(1)}${ratio}`,
        regretFixedSplit.toFixed(1),
      ],
      ...(study.challengers ?? []).map(({ rate, promoted, eliminated, users }, index) => [
        `challenger ${index + 1}, ${rate}`,
        `${promoted} promoted, ${eliminated} eliminated; ${spread(users)} users`,
        '',
      ]),
    ],
  );
}

function number(text: string, fits: (value: number) => boolean, what: string): number {
  const value = Number(text);
  if (text.trim() === '' || !fits(value)) throw new InvalidArgumentError(what);
  return value;
}
const rate = (text: string) => number(text, (value) => value > 0 && value < 1, 'It must be a rate between 0 and 1, both excluded, such as .05');
const eachRate = (text: string, before: number[] = []) => [...before, rate(text)];
const cap = (text: string) => number(text, (value) => value > 0 && value <= 0.5, 'It must be a share above 0 and at most .5');
