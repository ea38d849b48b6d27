"""The driver of Linux boards over SSH: STM32MP1, STM32MP2, and any other Linux."""
