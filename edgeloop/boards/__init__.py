"""Boards that run models and time them: the protocol, its drivers, and the benchmark."""
