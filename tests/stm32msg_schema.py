"""The protocol's messages for Google's protobuf library, so that devices in tests share no code with the client."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

U32 = "uint32"
TENSOR_DESCRIPTION = [
    (1, "name", "string"), (2, "format", U32), (3, "size", U32), (4, "n_dims", U32), (5, "dims", "*uint32"),
    (6, "scale", "float"), (7, "zeropoint", "int32"), (8, "addr", U32), (9, "flags", U32),
]  # fmt: skip
MODEL = [
    (1, "name", "string"), (2, "rtid", U32), (3, "signature", "string"), (4, "compile_datetime", "string"),
    (5, "runtime_version", U32), (6, "tool_version", U32), (7, "n_macc", "uint64"), (8, "n_nodes", U32),
    (10, "n_inputs", U32), (11, "inputs", "*aiTensorDescMsg"), (12, "n_outputs", U32), (13, "outputs", "*aiTensorDescMsg"),
    (14, "n_activations", U32), (15, "activations", "*aiTensorDescMsg"), (16, "n_params", U32), (17, "params", "*aiTensorDescMsg"),
    (20, "runtime_desc", "string"),
]  # fmt: skip
SYSTEM = [(1, "devid", U32), (2, "sclock", U32), (3, "hclock", U32), (4, "cache", U32)]
MESSAGES = {
    "reqMsg": [(1, "reqid", U32), (2, "cmd", U32), (3, "param", U32), (4, "name", "string"), (5, "opt", U32)],
    "syncMsg": [(1, "version", U32), (4, "capability", U32), (5, "rtid", U32)],
    "ackMsg": [(1, "param", U32), (2, "error", U32)],
    "logMsg": [(1, "level", U32), (2, "str", "string")],
    "aiDataMsg": [(1, "type", U32), (2, "size", U32), (3, "addr", U32), (4, "datas", "bytes")],
    "aiTensorDescMsg": TENSOR_DESCRIPTION,
    "aiTensorMsg": [(1, "desc", "aiTensorDescMsg"), (2, "data", "aiDataMsg")],
    "aiOperatorMsg": [
        (1, "name", "string"), (2, "type", U32), (3, "id", U32), (4, "duration", "float"), (5, "counter_type", U32),
        (6, "counters", "*uint32"), (7, "stack_used", "int32"), (8, "heap_used", "int32"),
    ],
    "respMsg": [
        (1, "reqid", U32), (2, "state", U32), (10, "sync", "?syncMsg"), (11, "sinfo", "?sysinfoMsg"), (12, "ack", "?ackMsg"),
        (13, "log", "?logMsg"), (15, "data", "?aiDataMsg"), (16, "op", "?aiOperatorMsg"), (17, "tensor", "?aiTensorMsg"),
        (22, "minfo", "?aiModelInfoMsg"),
    ],
}  # fmt: skip
CHANGED = {
    "3.1": {"sysinfoMsg": [*SYSTEM, (5, "extra", "*uint32")], "aiModelInfoMsg": MODEL},
    "3.2": {
        "sysinfoMsg": [*SYSTEM, (5, "com_param", U32), (6, "extra", "*uint32")],
        "aiModelInfoMsg": [*MODEL, (21, "n_install_time", "float"), (22, "n_init_time", "float")],
    },
}


def schema(version: str) -> dict[str, Any]:
    """The message classes of a version, by name."""
    file = descriptor_pb2.FileDescriptorProto(name=f"stm32msg{version}.proto", package="device", syntax="proto2")
    for name, declared in (MESSAGES | CHANGED[version]).items():
        message = file.message_type.add(name=name)
        for number, field_name, kind in declared:
            _add_field(message.field.add(name=field_name, number=number), kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"device.{name}")) for name in MESSAGES | CHANGED[version]}


def _add_field(field: Any, kind: str) -> None:
    presence, bare = {"*": "REPEATED", "?": "OPTIONAL"}.get(kind[0], "REQUIRED"), kind.lstrip("*?")
    field.label = getattr(descriptor_pb2.FieldDescriptorProto, f"LABEL_{presence}")
    scalar = getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{bare.upper()}", None)
    if scalar is None:
        field.type, field.type_name = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE, f".device.{bare}"
    else:
        field.type = scalar
