"""Biases of a .tflite file, each in a buffer of its own: the converter lets equal ones share, and what changes one changes all."""


def apart(content: bytes) -> bytes:
    """The same model with a buffer for each int32 constant; the very same bytes where none is shared.

    Weights that two layers share by design stay so: they are large.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    seen, shared = set[int](), []
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        data = model.buffers[tensor.buffer].data
        if tensor.buffer in seen and tensor.type == schema.TensorType.INT32 and data is not None and len(data):
            shared.append(tensor)
        seen.add(tensor.buffer)
    if not shared:
        return content
    for tensor in shared:
        copy = schema.BufferT()
        copy.data = model.buffers[tensor.buffer].data
        tensor.buffer = len(model.buffers)
        model.buffers.append(copy)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
