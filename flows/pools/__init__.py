"""Stages on other machines: who takes them (declared), how they get there (dispatch) and what does them there (worker)."""
