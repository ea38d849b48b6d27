"""Firmware that measures a network on a board: C for the protocol, the runner and each family's start-up, and data for each board.

The virtual board builds the very same code. Nothing here has run on hardware yet.
"""
