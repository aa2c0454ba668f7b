import type { DriftResults } from './drift.ts';
export function renderDrift({ machine }: DriftResults): string {
  return machine;
}
