import { expect, it, onTestFinished } from 'vitest';
import { OnnxBuilder } from '../../models/graph/onnx-builder.ts';
import { declareAnswer, declareInputs } from '../../models/graph/recommend-interface.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import { answersOf } from './train-candidate.ts';

const itemCount = 30;

/** Item 0 is the best, whatever is asked. */
async function openGuest(make: (builder: OnnxBuilder, inputs: ReturnType<typeof declareInputs>) => void) {
  const builder = new OnnxBuilder({ name: 'guest' });
  make(builder, declareInputs(builder, itemCount));
  const graph = await openRecommendGraph({ bytes: builder.build(), itemCount, maxHistory: 5 });
  onTestFinished(() => graph.close());
  return graph;
}
const scores = (length: number) => Float32Array.from({ length }, (_, item) => Math.max(0, itemCount - item));

it("a guest's answers are taken down when it obeys exclusions and scope", async () => {
  const graph = await openGuest((builder, inputs) => declareAnswer(builder, inputs, builder.constant(scores(itemCount + 1), [itemCount + 1]), itemCount));
  const { requests } = await answersOf(graph, itemCount);
  expect(requests.map(({ items }) => items[0])).toEqual([0, 1, 0, 1]);
});

it('a guest that does not obey is refused: it would be measured on slates that nobody is shown', async () => {
  const graph = await openGuest((builder, inputs) => {
    const known = builder.constant(scores(itemCount), [itemCount]);
    const [best, index] = builder.nodes('TopK', [known, inputs.count], 2, { axis: { int: 0 } });
    if (best === undefined || index === undefined) throw new Error('no answer');
    builder.output({ name: 'items', type: 'int64', shape: ['count'], value: index });
    builder.output({ name: 'scores', type: 'float32', shape: ['count'], value: best });
  });
  await expect(answersOf(graph, itemCount)).rejects.toMatchObject({ code: 'UND-ARTIFACT', message: expect.stringContaining('`exclude` leaves out') });
});
