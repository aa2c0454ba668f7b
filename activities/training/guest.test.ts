import { expect, it, onTestFinished } from 'vitest';
import { OnnxBuilder } from '../../models/graph/onnx-builder.ts';
import { declareAnswer, declareInputs } from '../../models/graph/recommend-interface.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import { answersOf } from './train-candidate.ts';

const itemCount = 30;

/** Item 0 is the best, whatever is asked. */
async function openGuest(make: (builder: OnnxBuilder, inputs: ReturnType<typeof declareInputs>, scores: string) => void) {
  const builder = new OnnxBuilder({ name: 'guest' });
  const inputs = declareInputs(builder, itemCount);
  const padded = Float32Array.from({ length: itemCount + 1 }, (_, item) => (item < itemCount ? itemCount - item : 0));
  make(builder, inputs, builder.constant(padded, [itemCount + 1]));
  const graph = await openRecommendGraph({ bytes: builder.build(), itemCount, maxHistory: 5 });
  onTestFinished(() => graph.close());
  return graph;
}

it("a guest's answers are taken down when it obeys exclusions and scope", async () => {
  const graph = await openGuest((builder, inputs, scores) => declareAnswer(builder, inputs, scores, itemCount));
  const { requests } = await answersOf(graph, itemCount);
  expect(requests.map(({ items }) => items[0])).toEqual([0, 1, 0, 1]);
});

it('a guest that does not obey is refused: it would be measured on slates that nobody is shown', async () => {
  const graph = await openGuest((builder, inputs, scores) => {
    const known = builder.node('Slice', [scores, ...[[0], [itemCount]].map((at) => builder.constant(BigInt64Array.from(at.map(BigInt)), [1]))]);
    const [best = '', index = ''] = builder.nodes('TopK', [known, inputs.count], 2, { axis: { int: 0 } });
    builder.output({ name: 'items', type: 'int64', shape: ['count'], value: index });
    builder.output({ name: 'scores', type: 'float32', shape: ['count'], value: best });
  });
  await expect(answersOf(graph, itemCount)).rejects.toMatchObject({ code: 'UND-ARTIFACT', message: expect.stringContaining('`exclude` leaves out') });
});
