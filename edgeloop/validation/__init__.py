"""Validation: a Great Expectations suite for each data set, from declared rules, and a report page of its own."""

from edgeloop.validation.validate import validate

__all__ = ["validate"]
