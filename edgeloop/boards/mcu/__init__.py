"""Physical microcontroller boards of lab.yaml (STM32N6, H7, F7, ...): generate, build, flash, verify, measure, record."""
