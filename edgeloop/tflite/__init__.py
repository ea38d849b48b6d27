"""TensorFlow Lite files: what is in one (`graph`, `inspect`), and running one here (`interpreter`, `classifier`)."""
