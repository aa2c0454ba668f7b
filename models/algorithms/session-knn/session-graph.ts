import { elementCodes, type GraphBytes, OnnxBuilder, type Value } from '../../graph/onnx-builder.ts';
import { declareAnswer, declareInputs, type RecommendInputs } from '../../graph/recommend-interface.ts';
import type { SessionKnnParts } from './session-knn.ts';

/**
 * The whole of session-kNN as a graph. Lists of uneven length are read as windows of one flat array, as wide as the longest that the request asks for,
 * so that the file holds no padding and a request pays for what it touches: work and memory do not grow with the number of sessions. With 100,000
 * items and 500,000 sessions of 5 items that is 21 MB (the lists alone are 20) and 1.0 ms a request (median, one thread), 1.7 ms with the published
 * 1502 sessions and 288 neighbours, popular items or not. So there is no need of a retriever beside the graph.
 */
export function sessionGraph({ index, prior, params }: SessionKnnParts): GraphBytes {
  const itemCount = prior.length - 1;
  const graph = new OnnxBuilder({ name: 'session-knn' });
  const inputs = declareInputs(graph, itemCount);
  const priors = graph.constant(prior, [itemCount + 1], 'item_prior');
  const entries = historyEntries(graph, inputs, itemCount);
  const candidates = candidateEntries(graph, { inputs, entries, index, itemCount, stride: params.maxItems });
  const neighbours = nearest(graph, { entries, candidates, params, sessionCount: index.sessionFrom.length - 1 });
  const rows = windows(graph, { from: index.sessionFrom, list: index.sessionItems, name: 'session', of: neighbours.sessions });
  const items = graph.node('Where', [rows.valid, rows.values, int32(graph, itemCount)]);
  const factors = graph.node('Gather', [graph.constant(index.itemFactors, [itemCount + 1], 'item_factors'), items]);
  const shares = graph.node('Mul', [column(graph, neighbours.weights), factors]);
  const flat = graph.int64(-1);
  const added = graph.node('ScatterElements', [priors, graph.node('Reshape', [items, flat]), graph.node('Reshape', [shares, flat])], {
    axis: { int: 0 },
    reduction: { string: 'add' },
  });
  const last = graph.node('Slice', [inputs.history, graph.int64(-1), graph.int64(Number.MAX_SAFE_INTEGER), graph.int64(0)]);
  const scores = graph.node('ScatterElements', [added, last, graph.node('Gather', [priors, last])], { axis: { int: 0 } });
  declareAnswer(graph, inputs, scores, itemCount);
  return graph.build();
}

/** Of each entry of the history, [h]: whether it counts, what it adds to a similarity, and what its being the last match makes of one. */
type Entries = { counts: Value; weights: Value; matchWeights: Value };

function historyEntries(graph: OnnxBuilder, { history, historyWeight }: RecommendInputs, itemCount: number): Entries {
  const known = graph.node('Less', [history, graph.int64(itemCount)]);
  const places = placesOf(graph, history);
  const same = graph.node('Equal', [column(graph, history), history]);
  const lastPlace = graph.node('ReduceMax', [graph.node('Where', [same, places, int32(graph, -1)]), graph.int64(1)], { keepdims: { int: 0 } });
  const counts = graph.node('And', [known, graph.node('Equal', [lastPlace, places])]);
  const asNumber = (value: Value): Value => graph.node('Cast', [value], { to: { int: elementCodes.float32 } });
  const fromBegin = graph.node('CumSum', [asNumber(known), int32(graph, 0)]);
  const distinct = graph.node('Max', [graph.node('ReduceSum', [asNumber(counts)]), graph.float32(1)]);
  const weights = graph.node('Div', [graph.node('Mul', [historyWeight, fromBegin]), distinct]);
  const fromEnd = graph.node('Sub', [graph.node('ReduceSum', [asNumber(known)]), fromBegin]);
  const matched = graph.node('Sub', [graph.float32(0.9), graph.node('Div', [fromEnd, graph.float32(10)])]);
  return { counts, weights, matchWeights: graph.node('Max', [matched, graph.float32(0)]) };
}

type CandidateInput = { inputs: RecommendInputs; entries: Entries; index: SessionKnnParts['index']; itemCount: number; stride: number };

/** Sessions of all entries with the place of the entry, [n] each, newest session first and in it the last entry first; session -1 where there is none. */
function candidateEntries(graph: OnnxBuilder, { inputs, entries, index, itemCount, stride }: CandidateInput): { sessions: Value; places: Value } {
  const of = graph.node('Where', [entries.counts, inputs.history, graph.int64(itemCount)]);
  const rows = windows(graph, { from: index.itemFrom, list: index.itemSessions, name: 'item', of });
  const places = column(graph, placesOf(graph, inputs.history));
  const keys = graph.node('Add', [graph.node('Mul', [rows.values, int32(graph, stride)]), places]);
  const flat = graph.node('Reshape', [graph.node('Where', [rows.valid, keys, int32(graph, -stride)]), graph.int64(-1)]);
  const [sorted] = graph.nodes('TopK', [flat, graph.node('Shape', [flat])], 2, { axis: { int: 0 }, largest: { int: 1 }, sorted: { int: 1 } });
  const sessions = graph.node('Div', [sorted as Value, int32(graph, stride)]);
  return { sessions, places: graph.node('Sub', [sorted as Value, graph.node('Mul', [sessions, int32(graph, stride)])]) };
}

type NearestInput = {
  entries: Entries;
  candidates: { sessions: Value; places: Value };
  params: SessionKnnParts['params'];
  sessionCount: number;
};

/** The neighbours with what each of their items is worth before its own factor; a padding session where there are too few. */
function nearest(graph: OnnxBuilder, { entries, candidates, params, sessionCount }: NearestInput): { sessions: Value; weights: Value } {
  const { sessions, places } = candidates;
  const zero = graph.int64(0);
  const before = graph.node('Concat', [graph.constant(Int32Array.of(-2), [1]), graph.node('Slice', [sessions, zero, graph.int64(-1), zero])], {
    axis: { int: 0 },
  });
  const isFirst = graph.node('Not', [graph.node('Equal', [sessions, before])]);
  const numbers = graph.node('Sub', [
    graph.node('CumSum', [graph.node('Cast', [isFirst], { to: { int: elementCodes.int32 } }), int32(graph, 0)]),
    int32(graph, 1),
  ]);
  const firsts = graph.node('Slice', [graph.node('Reshape', [graph.node('NonZero', [isFirst]), graph.int64(-1)]), zero, graph.int64(params.sample), zero]);
  const added = graph.node('Gather', [entries.weights, places]);
  const none = graph.node('Expand', [graph.float32(0), graph.node('Shape', [added])]);
  const sums = graph.node('ScatterElements', [none, numbers, added], { axis: { int: 0 }, reduction: { string: 'add' } });
  const sampled = graph.node('Gather', [sessions, firsts]);
  const isSession = graph.node('GreaterOrEqual', [sampled, int32(graph, 0)]);
  const cut = graph.node('Slice', [sums, zero, graph.node('Shape', [firsts]), zero]);
  const similarities = graph.node('Where', [isSession, cut, graph.float32(-1)]);
  const count = graph.node('Min', [graph.int64(params.neighbours), graph.node('Shape', [firsts])]);
  const [best, chosen] = graph.nodes('TopK', [similarities, count], 2, { axis: { int: 0 }, largest: { int: 1 }, sorted: { int: 1 } });
  const ids = graph.node('Gather', [graph.node('Where', [isSession, sampled, int32(graph, sessionCount)]), chosen as Value]);
  const lastMatch = graph.node('Gather', [places, graph.node('Gather', [firsts, chosen as Value])]);
  const weights = graph.node('Mul', [graph.node('Max', [best as Value, graph.float32(0)]), graph.node('Gather', [entries.matchWeights, lastMatch])]);
  return { sessions: ids, weights };
}

/** Rows of a compressed list as a table as wide as the longest of them: [rows, width] of values, and which of them are there. */
function windows(
  graph: OnnxBuilder,
  { from, list, name, of }: { from: Int32Array; list: Int32Array; name: string; of: Value },
): { values: Value; valid: Value } {
  const offsets = graph.constant(withPaddingRow(from), [from.length + 1], `${name}_from`);
  // One more at the end, which is read where there is nothing to read.
  const flat = graph.constant(appended(list, 0), [list.length + 1], `${name}_list`);
  const row = graph.node('Cast', [of], { to: { int: elementCodes.int32 } });
  const begin = graph.node('Gather', [offsets, row]);
  const lengths = graph.node('Sub', [graph.node('Gather', [offsets, graph.node('Add', [row, int32(graph, 1)])]), begin]);
  const width = graph.node('Max', [graph.node('ReduceMax', [lengths], { keepdims: { int: 0 } }), int32(graph, 1)]);
  const steps = graph.node('Range', [int32(graph, 0), width, int32(graph, 1)]);
  const valid = graph.node('Less', [steps, column(graph, lengths)]);
  const places = graph.node('Where', [valid, graph.node('Add', [column(graph, begin), steps]), int32(graph, list.length)]);
  return { values: graph.node('Gather', [flat, places]), valid };
}

/** The row behind the last, for padding: empty. */
const withPaddingRow = (from: Int32Array): Int32Array => appended(from, from.at(-1) ?? 0);

function appended(list: Int32Array, value: number): Int32Array {
  const longer = new Int32Array(list.length + 1);
  longer.set(list);
  longer[list.length] = value;
  return longer;
}

const column = (graph: OnnxBuilder, value: Value): Value => graph.node('Unsqueeze', [value, graph.int64(1)]);
const int32 = (graph: OnnxBuilder, value: number): Value => graph.constant(Int32Array.of(value), []);

/** [length] 0, 1, 2, ... beside a value [length]. */
function placesOf(graph: OnnxBuilder, value: Value): Value {
  const length = graph.node('Squeeze', [graph.node('Shape', [value])]);
  return graph.node('Range', [int32(graph, 0), graph.node('Cast', [length], { to: { int: elementCodes.int32 } }), int32(graph, 1)]);
}
