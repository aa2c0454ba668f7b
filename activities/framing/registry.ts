import type { CheckName } from '../../models/contracts/assumption.ts';
import type { Check } from './check.ts';
import { arrivalDelay } from './checks/arrival-delay.ts';
import { attributedShare } from './checks/attributed-share.ts';
import { attributionDelay } from './checks/attribution-delay.ts';
import { coldItemShare } from './checks/cold-item-share.ts';
import { coldUserShare } from './checks/cold-user-share.ts';
import { daysForChange } from './checks/days-for-change.ts';
import { density } from './checks/density.ts';
import { eventCount } from './checks/event-count.ts';
import { funnelRate } from './checks/funnel-rate.ts';
import { historyLength } from './checks/history-length.ts';
import { itemCount } from './checks/item-count.ts';
import { itemSupport } from './checks/item-support.ts';
import { knownHistoryShare } from './checks/known-history-share.ts';
import { knownUserShare } from './checks/known-user-share.ts';
import { metadataCoverage } from './checks/metadata-coverage.ts';
import { metricMean } from './checks/metric-mean.ts';
import { nullUserShare } from './checks/null-user-share.ts';
import { orderedShare } from './checks/ordered-share.ts';
import { popularSlateShare } from './checks/popular-slate-share.ts';
import { repeatPurchaseShare } from './checks/repeat-purchase-share.ts';
import { returningShare } from './checks/returning-share.ts';
import { sessionContextShare } from './checks/session-context-share.ts';
import { sessionLength } from './checks/session-length.ts';
import { severalItemsShare } from './checks/several-items-share.ts';
import { testUsers } from './checks/test-users.ts';
import { topItemsShare } from './checks/top-items-share.ts';
import { unitCount } from './checks/unit-count.ts';
import { unitsPerDayCheck } from './checks/units-per-day.ts';

/** Every check by its name: no other is ever run. */
// biome-ignore lint/suspicious/noExplicitAny: each has parameters of its own, checked by its own schema before they are used.
export const checks: Readonly<Record<CheckName, Check<any>>> = {
  'arrival-delay': arrivalDelay,
  'attributed-share': attributedShare,
  'attribution-delay': attributionDelay,
  'cold-item-share': coldItemShare,
  'cold-user-share': coldUserShare,
  'days-for-change': daysForChange,
  density,
  'event-count': eventCount,
  'funnel-rate': funnelRate,
  'history-length': historyLength,
  'item-count': itemCount,
  'item-support': itemSupport,
  'known-history-share': knownHistoryShare,
  'known-user-share': knownUserShare,
  'metadata-coverage': metadataCoverage,
  'metric-mean': metricMean,
  'null-user-share': nullUserShare,
  'ordered-share': orderedShare,
  'popular-slate-share': popularSlateShare,
  'repeat-purchase-share': repeatPurchaseShare,
  'returning-share': returningShare,
  'session-context-share': sessionContextShare,
  'session-length': sessionLength,
  'several-items-share': severalItemsShare,
  'test-users': testUsers,
  'top-items-share': topItemsShare,
  'unit-count': unitCount,
  'units-per-day': unitsPerDayCheck,
};
