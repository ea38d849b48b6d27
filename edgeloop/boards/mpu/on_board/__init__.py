"""What runs on the board: sent over SSH, never installed there. Python 3.8 and later, standard library and NumPy only."""
