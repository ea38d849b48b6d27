"""The open generator: TensorFlow Lite to plain C99, bit for bit with LiteRT's reference kernels."""
