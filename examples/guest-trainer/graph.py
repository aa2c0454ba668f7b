"""The ends of the graph that Understudy serves: its inputs, and what becomes of scores. Needs numpy and onnx."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

INTERFACE = "understudy.recommend/1"


def constant(name, value, dtype):
    return numpy_helper.from_array(np.asarray(value, dtype=dtype), name)


def save_recommender(path, nodes, initializers, scores, items):
    """Writes recommend.onnx. `nodes` make `scores` (float32 [items]) of the inputs history and history_weight."""
    tail = [
        helper.make_node("Add", [scores, "scope_bias"], ["tail_in_scope"]),
        # Index n of `exclude` means none: it lands on an extra place that is cut off again.
        helper.make_node("Concat", ["tail_in_scope", "tail_zero"], ["tail_widened"], axis=0),
        helper.make_node("Shape", ["exclude"], ["tail_excluded"]),
        helper.make_node("Expand", ["tail_banned", "tail_excluded"], ["tail_bans"]),
        helper.make_node("ScatterElements", ["tail_widened", "exclude", "tail_bans"], ["tail_masked"], axis=0),
        helper.make_node("Slice", ["tail_masked", "tail_start", "tail_end"], ["tail_allowed"]),
        helper.make_node("TopK", ["tail_allowed", "count"], ["scores", "items"], axis=0),
    ]
    constants = [
        constant("tail_zero", [0], np.float32),
        constant("tail_banned", [-1e9], np.float32),
        constant("tail_start", [0], np.int64),
        constant("tail_end", [items], np.int64),
    ]
    graph = helper.make_graph(
        [*nodes, *tail],
        "recommend",
        [
            helper.make_tensor_value_info("history", TensorProto.INT64, ["h"]),
            helper.make_tensor_value_info("history_weight", TensorProto.FLOAT, ["h"]),
            helper.make_tensor_value_info("exclude", TensorProto.INT64, ["e"]),
            helper.make_tensor_value_info("scope_bias", TensorProto.FLOAT, [items]),
            helper.make_tensor_value_info("count", TensorProto.INT64, [1]),
        ],
        [
            helper.make_tensor_value_info("items", TensorProto.INT64, ["k"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["k"]),
        ],
        initializer=[*initializers, *constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    checker.check_model(model)
    save(model, path)
