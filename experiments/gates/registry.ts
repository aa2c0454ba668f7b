import type { ReleaseIntent } from '../../models/contracts/report.ts';
import { beyondAccuracyGate } from './beyond-accuracy.ts';
import { counterfactualGate } from './counterfactual.ts';
import { coverageGate } from './coverage.ts';
import { fairnessGate } from './fairness.ts';
import type { Gate } from './gate.ts';
import { leakGate } from './leak.ts';
import { offlineLiftGate } from './offline-lift.ts';
import { parityGate } from './parity.ts';
import { sizeGate } from './size.ts';
import { usersGate } from './users.ts';

const always: readonly Gate[] = [parityGate, sizeGate, usersGate, leakGate, fairnessGate];
const againstChampion: readonly Gate[] = [...always, coverageGate, beyondAccuracyGate, offlineLiftGate, counterfactualGate];

/** Which gates stand in the way of which kind of release. With nothing live there is nothing to compare with or to narrow. */
export const gatesOf: Readonly<Record<ReleaseIntent, readonly Gate[]>> = { bootstrap: always, refresh: againstChampion, replace: againstChampion };
