"""The virtual board: an emulated Cortex-M with a real part's memory that boots the real validation firmware."""
