import { defineSurface } from '../../models/contracts/charter.ts';
import { mapping } from './import.ts';

/** Where the events come from: a file (the path is relative to this one) and how its rows become events. */
export const source = { file: 'data/online-retail.csv.gz', mapping };

/** The home page of the shop in the Online Retail file. Times are short, so that a whole release can be watched. */
export default defineSurface({
  surface: 'home',
  title: 'Home page of a shop for gifts',
  owners: ['demo'],
  objective: 'conversion',
  timeZone: 'Europe/London',
  reward: {
    weights: { purchase: 1 },
    // Shoppers of the demo answer at once; a real shop would say hours or days.
    attributionMs: 2_000,
    capPerUnit: 1,
  },
  // The file has purchases only; the other kinds come from the live part. An impression or a skip says too little to train on.
  confidence: { purchase: 1, 'add-to-cart': 0.5, click: 0.2, view: 0.1 },
  // Gift shops and other resellers buy the same article again: 43 % of the late purchases of known customers are repeats.
  repeatPolicy: 'allow',
  scope: {
    inStockOnly: true,
    // Five digits and perhaps letters. All else in the file is postage, fees, vouchers, samples and manual entries.
    itemIdPattern: '^[0-9]{5}[A-Za-z]*$',
  },
  slate: { size: 10 },
  // The file has 374 days. The gap is a day: what happened yesterday evening may not have reached the log.
  window: { trainDays: 300, gapDays: 1, testDays: 21 },
  data: {
    // The shoppers here are simulated after these very customers, and answer today what the file holds for another day: a shop says 'ingest'.
    log: 'ignore',
    rules: [
      { name: 'enough-rows', measure: 'rows', min: 1_000, action: 'stop' },
      { name: 'little-quarantine', measure: 'quarantine-share', max: 0.2, action: 'stop' },
      { name: 'little-quarantine-soon', measure: 'quarantine-share', max: 0.05, action: 'warn' },
      // About a quarter of the lines have no customer; more would mean that the join to customers broke.
      { name: 'known-customers', measure: 'null-user-share', max: 0.35, action: 'warn' },
      // For a shop's own exports. This file is old, and shifted to end about now: then the manifest says that the rule does not apply.
      { name: 'fresh', measure: 'freshness-days', max: 8, action: 'warn' },
    ],
  },
  exploration: { slots: 1, poolDepth: 100, rankOffset: 5, challengerDepth: 20, floor: 0.02 },
  bootstrap: 'popularity',
  candidates: [
    { name: 'popularity', algorithm: 'popularity', params: {} },
    { name: 'item-knn', algorithm: 'item-knn', params: {} },
    { name: 'ials', algorithm: 'ials', params: { factors: 64 } },
    // What a customer buys again anyway: foretells purchases well and helps shoppers little.
    { name: 'buy-again', algorithm: 'item-knn', params: { selfSimilarity: 5 } },
  ],
  gates: {
    primaryMetric: 'ndcg@10',
    refreshMargin: 0.05,
    replaceLift: 0,
    minCoverage: 0.01,
    minUsers: 200,
    maxArtifactMb: 50,
    withoutCounterfactualSupport: 'pass',
    minEffectiveSampleSize: 100,
    maxReplayedSlates: 8_000,
  },
  release: {
    approvers: [{ name: 'demo', role: 'ml-lead' }],
    remindAfterMs: 60_000,
    escalateAfterMs: 300_000,
    expireAfterMs: 3_600_000,
    rehearsal: { slates: 6_000, maxDurationMs: 60_000 },
    canary: {
      shadowSlates: 200,
      ladder: [0.01, 0.05, 0.1, 0.25, 0.5],
      lookEveryMs: 1_000,
      minUnits: [5, 20, 40, 100, 300],
      maxDurationMs: 120_000,
      alpha: 0.05,
      refreshMargin: 0.1,
      maxErrorShare: 0.01,
      maxFallbackShare: 0.05,
      maxP99Ms: 250,
    },
  },
  // What a shopper reports as harmful is shown to nobody until somebody has looked.
  escalation: { acknowledgeWithinMinutes: { high: 15 }, blockAtOnce: { kinds: ['harmful'] } },
  slo: { p99Ms: 100, fallbackShare: 0.02 },
  assumptions: [
    { claim: 'Known customers buy again what they bought before', measure: 'repeat-purchase-share', min: 0.3 },
    { claim: 'Most lines have a known customer', measure: 'null-user-share', max: 0.35 },
  ],
  seed: 20_111_209,
});
