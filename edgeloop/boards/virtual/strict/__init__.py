"""A strict model of real parts: clocks, supply, flash memory, pins and serial port of the STM32F4, F7, H7 and L4.

Written from the reference manuals, not from the firmware, with addresses of its own: it stops the firmware at what would hang
or break a part. Times are instructions, and only as long as "not at once".
"""
