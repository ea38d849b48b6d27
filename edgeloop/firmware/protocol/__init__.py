"""The serial validation protocol as both ends share it: its messages, their numbers, and the numbers as a C header."""
