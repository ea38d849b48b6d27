"""From a .tflite model to C code for a target."""
