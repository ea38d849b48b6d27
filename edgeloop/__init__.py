"""edgeloop: retrain, quantize, measure and publish image classifiers for STM32 as one reproducible loop."""

__version__ = "0.1.0"
