/** One slate of the log, with what each policy would have answered to the same request. Slates come in the order in which they were sent. */
export type LoggedSlate = {
  unit: string;
  items: readonly string[];
  /** [items] attributed reward by slot */
  rewards: ArrayLike<number>;
  /** [items] the same counted otherwise, by the name of the indicator: at most 1 a slot. */
  kpis?: Readonly<Record<string, ArrayLike<number>>>;
  /** [items] did the visitor engage with the slot at all */
  engaged: readonly boolean[];
  /** What stood in the slate before exploration. */
  base: readonly string[];
  /** What exploration could have put there with support, base items not among them. */
  pool: readonly string[];
  /** Slots that exploration drew. */
  exploredSlots: readonly number[];
  /** Probability under the logging policy that the item stands at the slot; 0 where it never could. */
  propensity: (itemId: string, slot: number) => number;
  /** [items] Probability that the slate begins with the first k + 1 of these; 0 where that is not known. */
  prefix: (items: readonly string[]) => readonly number[];
  /** Items that the visitor had to do with before. */
  known?: ReadonlySet<string>;
  candidate: readonly string[];
  champion: readonly string[];
};

/** An item that candidate or champion would show to this request. */
export type WantedItem = {
  item: string;
  /** Examination of its slot in each policy's slate; 0 where the policy does not show it. */
  examined: { candidate: number; champion: number };
  /** sum_k e_k pi_0(a, k): examination times how often the log shows it there. */
  reach: number;
  /** e / reach for each policy; 0 for both where the item counts as without support. */
  weight: { candidate: number; champion: number };
  supported: boolean;
};

export type WeighedSlate = {
  slate: LoggedSlate;
  wanted: readonly WantedItem[];
  /** [slots] What stands there in the log; null where neither policy would show it. */
  shown: readonly (WantedItem | null)[];
};

/**
 * Weights of the item-position model: an item's reward at a slot is examination times what the item is worth to this visitor, so that for each shown
 * item w(a) = sum_k e_k pi_t(a, k) / sum_k e_k pi_0(a, k) (Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay and Wen, "Offline evaluation of ranking
 * policies with click models", KDD 2018, sec. 4).
 * @param maxItemWeight an item that would weigh more was shown so seldom that one reward of it would swing the estimate: it has no support.
 */
export function weighSlate(slate: LoggedSlate, { examination, maxItemWeight }: { examination: Float64Array; maxItemWeight: number }): WeighedSlate {
  const found = new Map<string, WantedItem>();
  for (const item of [...slate.candidate, ...slate.champion]) {
    if (found.has(item)) continue;
    const reach = examination.reduce((sum, value, slot) => sum + value * slate.propensity(item, slot), 0);
    const examined = { candidate: examination[slate.candidate.indexOf(item)] ?? 0, champion: examination[slate.champion.indexOf(item)] ?? 0 };
    const supported = reach * maxItemWeight >= Math.max(examined.candidate, examined.champion) && reach > 0;
    const weight = supported ? { candidate: examined.candidate / reach, champion: examined.champion / reach } : { candidate: 0, champion: 0 };
    found.set(item, { item, examined, reach, weight, supported });
  }
  return { slate, wanted: [...found.values()], shown: slate.items.map((item) => found.get(item) ?? null) };
}

/** What the log earned by examination, whatever stood where. */
export function rewardByExamination({ log, examination, maxReward }: { log: readonly LoggedSlate[]; examination: Float64Array; maxReward: number }): number {
  let [reward, examined] = [0, 0];
  for (const slate of log)
    for (let slot = 0; slot < slate.items.length; slot += 1) {
      reward += Math.min(maxReward, slate.rewards[slot] ?? 0);
      examined += examination[slot] ?? 0;
    }
  return examined === 0 ? 0 : reward / examined;
}
