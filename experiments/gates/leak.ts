import type { Gate } from './gate.ts';

/** A model that saw what it is measured on has no figures. The reason begins with the checks' codes. */
export const leakGate: Gate = ({ draft: { leak = [] } }) => {
  const failed = leak.filter(({ passed }) => !passed);
  const foreknowledge = leak.find(({ check }) => check === 'foreknowledge');
  const why = leak.length === 0 ? 'it was not looked for' : failed.map(({ check, reason }) => `${check}: ${reason}`).join('; ');
  return {
    gate: 'leak',
    passed: leak.length > 0 && failed.length === 0,
    value: foreknowledge?.value ?? null,
    threshold: foreknowledge?.limit ?? null,
    reason: why === '' ? `none of ${leak.length} checks finds that it saw the test part` : why,
  };
};
