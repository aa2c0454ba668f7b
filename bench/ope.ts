import { fileURLToPath } from 'node:url';
import { evaluateRows } from '../experiments/counterfactual/single-slot/evaluate-rows.ts';
import { makeDecisionWorld } from '../experiments/simulator/decision-world.ts';
import { decisionLogs } from '../experiments/simulator/draw-decisions.ts';
import { measuredInChild } from './measured-in-child.ts';

export type OpeBench = {
  rows: number;
  estimators: number;
  seconds: number;
  cpuSeconds: number;
  maxMemoryMb: number;
  limitSeconds: number;
  limitMemoryMb: number;
};

const limits = { limitSeconds: 10, limitMemoryMb: 1_500 };

/** All estimators of single decisions with intervals, diagnostics and the verdict on one core, in a process of its own: its memory is the log's, too. */
export function benchOpe({ rows = 10_000_000 } = {}): Promise<OpeBench> {
  return measuredInChild<OpeBench>({ file: fileURLToPath(import.meta.url), argument: String(rows) });
}

function measure(rows: number): OpeBench {
  const log = decisionLogs(makeDecisionWorld({ rows, rate: 0.05, temperature: 1, distance: 0.3, lift: 0.1, modelError: 0.5 }))(1);
  const startedMs = performance.now();
  const before = process.cpuUsage();
  const { estimators } = evaluateRows(log);
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(before);
  return {
    rows,
    estimators: Object.keys(estimators).length,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    maxMemoryMb: process.resourceUsage().maxRSS / 1024,
    ...limits,
  };
}

export function printOpeBench({ rows, estimators, seconds, cpuSeconds, maxMemoryMb, limitSeconds, limitMemoryMb }: OpeBench): string {
  return `ope: ${estimators} estimators over ${rows / 1e6} M rows in ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU (${limitSeconds} at most), ${maxMemoryMb.toFixed(0)} MB with the log (${limitMemoryMb} at most)`;
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(measure(Number(process.argv[2])))}\n`);
