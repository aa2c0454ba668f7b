import type { Gate } from './gate.ts';

export const usersGate: Gate = ({ charter, draft }) => {
  const needed = charter.gates.minUsers;
  return {
    gate: 'users',
    passed: draft.users >= needed,
    value: draft.users,
    threshold: needed,
    reason: `measured on ${draft.users} users, at least ${needed} needed`,
  };
};
