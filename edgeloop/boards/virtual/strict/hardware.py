"""What is soldered: the part, its oscillator, its supply, and what the serial port's host is connected to."""

from dataclasses import dataclass

from edgeloop.firmware.headers import BAUD
from edgeloop.firmware.part import Part


@dataclass(frozen=True)
class Hardware:
    """The board as it is, whatever a firmware takes it for."""

    mcu: str
    core: str
    device_id: int
    oscillator: str
    """crystal, bypass (a clock from outside) or hsi (there is none)."""
    oscillator_hz: int
    supply: str
    tx: str
    rx: str
    led: str | None
    led_on_high: bool
    host_baud: int = BAUD
    """Of the serial port's host, until one comes that says its own."""
    supply_register: int | None = None
    """The H7's choice of its supply since power-on (PWR_CR3), which a reset leaves as it is; None: nothing has chosen yet."""


def hardware_of(part: Part) -> Hardware:
    """The board that a data file describes."""
    assert part.setup is not None, f"{part.name} is emulated and has no board"
    clock, pins = part.setup.clock, part.setup.pins
    return Hardware(
        mcu=part.mcu,
        core=part.core,
        device_id=part.device_id,
        oscillator=clock.source,
        oscillator_hz=clock.hz,
        supply=part.setup.supply.source,
        tx=pins.tx,
        rx=pins.rx,
        led=pins.led,
        led_on_high=pins.led_on == "high",
    )
