import { GroupedMeans } from '../../experiments/ranking/grouped-means.ts';
import { meanOf } from '../../experiments/ranking/metrics.ts';
import type { Distillation, ModelSize } from '../../models/algorithms/algorithm.ts';
import { distillation, type DistillationStatement } from '../../models/contracts/distillation.ts';

/** In the artifact's core: the same training states the same. */
export const distillationFile = 'distillation.json';

/** What it costs to serve the small model, with what chance may have to do with it. */
export function stateDistillation({ teacher, student, heldOut, agreementAt20 }: Distillation, seed: number): DistillationStatement {
  const users = heldOut.student.length;
  const sideOf = ({ parameters, bytes }: ModelSize, values: Float64Array) => ({ parameters, bytes, ndcgAt10: users === 0 ? null : meanOf(values) });
  const [ofTeacher, ofStudent] = [heldOut.teacher, heldOut.student].map((values) => {
    const means = new GroupedMeans({ names: ['ndcg@10'] });
    for (const value of values) means.add([value]);
    return means;
  }) as [GroupedMeans, GroupedMeans];
  return distillation.parse({
    kind: 'distillation',
    teacher: sideOf(teacher, heldOut.teacher),
    student: sideOf(student, heldOut.student),
    users,
    difference: users === 0 ? null : ofStudent.lift(ofTeacher, { seed })['ndcg@10'],
    agreementAt20: users === 0 ? null : agreementAt20,
  });
}
