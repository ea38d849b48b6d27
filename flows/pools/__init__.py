"""Stages on other machines: who takes them (declared), how they get there (dispatch, wait), and the flow that does one there (job)."""
