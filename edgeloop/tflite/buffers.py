"""Biases of a .tflite file, each in a place of its own: the converter lets equal ones share, and what changes one changes all.

All biases of a network that was trained from fresh weights may be equal: those before a normalisation stay at zero.
"""

import copy
from collections import Counter

BIASED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Operators whose third operand is a bias (schema.fbs)."""
BIAS = 2


def apart(content: bytes) -> bytes:
    """The same model with a tensor and a buffer for each bias; the very same bytes where none is shared.

    Weights that two layers share by design stay so: they are large.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    biased = {getattr(schema.BuiltinOperator, name) for name in BIASED}
    uses = Counter(
        graph.tensors[place].buffer for graph in model.subgraphs for one in graph.operators for place in one.inputs if place >= 0
    )
    changed = False
    for graph in model.subgraphs:
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode not in biased:
                continue
            if len(operator.inputs) <= BIAS or operator.inputs[BIAS] < 0:
                continue
            bias = graph.tensors[operator.inputs[BIAS]]
            data = model.buffers[bias.buffer].data
            if data is None or not len(data) or uses[bias.buffer] == 1:
                continue
            uses[bias.buffer] -= 1
            own, buffer = copy.copy(bias), schema.BufferT()
            buffer.data, own.buffer = data, len(model.buffers)
            operator.inputs = [*operator.inputs[:BIAS], len(graph.tensors), *operator.inputs[BIAS + 1 :]]
            model.buffers.append(buffer)
            graph.tensors.append(own)
            changed = True
    if not changed:
        return content
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
