"""The models as one ONNX file: `features` in, three calibrated probabilities out.

Only operators that the host computes are used, see `OPERATORS`; the file of the same models is the same byte for byte.
"""

import json
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .models import NAMES, WIDEST, Calibration, Models

OPERATORS = {"Sub", "Mul", "Clip", "MatMul", "Add", "Relu", "Sigmoid", "Concat", "TreeEnsembleClassifier"}
OPSET = 17
LEARNING_OPSET = 3
# The oldest version of the format that has this set of operators.
FORMAT = 8


@dataclass(frozen=True)
class Metadata:
    """What a strategy has to know of the file."""

    schema: str
    names: list[str]
    weights: np.ndarray
    trained_until: str
    base_rate: float
    barriers: dict[str, float]

    def entries(self) -> dict[str, str]:
        return {
            "bulkhead.barriers": json.dumps(self.barriers, sort_keys=True),
            "bulkhead.base-rate": f"{self.base_rate:.4f}",
            "bulkhead.feature-names": ",".join(self.names),
            "bulkhead.features": self.schema,
            "bulkhead.trained-until": self.trained_until,
            "bulkhead.weights": ",".join(f"{weight:g}" for weight in self.weights),
        }


def at_most(threshold: float) -> float:
    """The largest `float32` that is no larger, so that the same `float32` features go the same way."""
    value = np.float32(threshold)
    return float(np.nextafter(value, np.float32(-np.inf)) if float(value) > threshold else value)


# A runtime may look for a leaf's votes from the first one of its operator on, so that many trees in one operator take a
# time that grows with their square. Few trees in each of many operators don't.
TREES_EACH = 4


def ensemble_attributes(trees: list[dict]) -> dict:
    """Some of LightGBM's trees as ONNX writes them: leaves vote for class 1.

    The very first one also votes for class 0, with nothing: of votes for one class, runtimes make different things.
    """
    nodes: dict[str, list] = {
        name: [] for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
    }
    leaves: dict[str, list] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}

    def add(tree: int, node: dict, number: int) -> int:
        """Adds a node and what is below it, parents first; gives the next free number."""
        place = len(nodes["nodeids"])
        is_leaf = "leaf_value" in node
        for name, value in {
            "treeids": tree,
            "nodeids": number,
            "featureids": 0 if is_leaf else node["split_feature"],
            "modes": "LEAF" if is_leaf else "BRANCH_LEQ",
            "values": 0.0 if is_leaf else at_most(node["threshold"]),
            "truenodeids": 0,
            "falsenodeids": 0,
        }.items():
            nodes[name].append(value)
        if is_leaf:
            nothing = [] if leaves["ids"] else [(0, 0.0)]
            for label, weight in [*nothing, (1, node["leaf_value"])]:
                leaves["treeids"].append(tree)
                leaves["nodeids"].append(number)
                leaves["ids"].append(label)
                leaves["weights"].append(float(np.float32(weight)))
            return number + 1
        if node["decision_type"] != "<=":
            raise ValueError(f"a split of the kind {node['decision_type']}")
        nodes["truenodeids"][place] = number + 1
        after = add(tree, node["left_child"], number + 1)
        nodes["falsenodeids"][place] = after
        return add(tree, node["right_child"], after)

    for tree, learnt in enumerate(trees):
        add(tree, learnt["tree_structure"], 0)
    attributes = {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"class_{name}": values for name, values in leaves.items()}
    return attributes | {"classlabels_int64s": [0, 1], "post_transform": "NONE"}


def build(models: Models, calibration: Calibration, metadata: Metadata) -> onnx.ModelProto:
    """Writes the graph."""
    weights: list[TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def weight(name: str, values: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    centred = node("Sub", ["features", weight("mean", models.scaling.mean)], "centred")
    scaled = node("Mul", [centred, weight("inverse", models.scaling.inverse)], "unbounded")
    bounds = [weight(name, np.array(value, np.float32)) for name, value in (("low", -WIDEST), ("high", WIDEST))]
    scaled = node("Clip", [scaled, *bounds], "scaled")

    def layer(value: str, name: str, learnt: tuple[np.ndarray, np.ndarray]) -> str:
        multiplied = node("MatMul", [value, weight(f"{name}_weights", learnt[0])], f"{name}_weighted")
        return node("Add", [multiplied, weight(f"{name}_bias", learnt[1])], f"{name}_sum")

    linear = layer(scaled, "linear", models.linear)

    learnt_trees, votes = models.trees["tree_info"], []
    for start in range(0, len(learnt_trees), TREES_EACH):
        place = len(votes)
        ensemble = helper.make_node(
            "TreeEnsembleClassifier",
            ["features"],
            [f"trees_{place}_label", f"trees_{place}_votes"],
            name=f"trees_{place}",
            domain="ai.onnx.ml",
            **ensemble_attributes(learnt_trees[start : start + TREES_EACH]),
        )
        nodes.append(ensemble)
        votes.append(f"trees_{place}_votes")
    all_votes = node("Concat", votes, "trees_votes", axis=1)
    # The sum of the votes for class 1.
    paid = np.tile(np.array([[0.0], [1.0]], np.float32), (len(votes), 1))
    trees = node("MatMul", [all_votes, weight("trees_paid", paid)], "trees_sum")

    network = scaled
    for place, learnt in enumerate(models.network):
        network = layer(network, f"network_{place}", learnt)
        if place + 1 < len(models.network):
            network = node("Relu", [network], f"network_{place}_output")

    outputs = []
    for place, (name, score) in enumerate(zip(NAMES, (linear, trees, network), strict=True)):
        slope = weight(f"{name}_slope", calibration.slope[place : place + 1])
        shift = weight(f"{name}_shift", calibration.shift[place : place + 1])
        stretched = node("Mul", [score, slope], f"{name}_stretched")
        node("Sigmoid", [node("Add", [stretched, shift], f"{name}_odds")], name)
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1]))

    rows = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", len(metadata.names)])
    graph = helper.make_graph(nodes, "ai-ensemble", [rows], outputs, weights)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", LEARNING_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="bulkhead", ir_version=FORMAT)
    helper.set_model_props(model, metadata.entries())
    onnx.checker.check_model(model)
    used = {used.op_type for used in model.graph.node}
    if not used <= OPERATORS:
        raise ValueError(f"the host does not compute {used - OPERATORS}")
    return model


def to_bytes(model: onnx.ModelProto) -> bytes:
    """The same model gives the same bytes."""
    return model.SerializeToString(deterministic=True)
