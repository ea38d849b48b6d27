"""The formats that a variant is converted to, and what their files are called."""

from typing import Literal

Format = Literal["float", "int8 per-channel", "int8 per-tensor"]

FILES: dict[Format, str] = {"float": "float", "int8 per-channel": "per_channel", "int8 per-tensor": "per_tensor"}
"""The stem of a format's .tflite file, and the start of its columns in predictions.parquet."""
DEPLOYED: Format = "int8 per-channel"
"""The one that is judged, promoted, and made code of."""
