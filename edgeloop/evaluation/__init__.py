"""Accuracy: of a variant's models on `test`, and of any .tflite file on a folder of images."""
