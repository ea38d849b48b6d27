"""Quantization: calibration, and the conversion of float models to int8 TFLite files."""
