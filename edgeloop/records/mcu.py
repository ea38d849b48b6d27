"""What a record says of a physical microcontroller board: the device, the generated code, and the firmware."""

from edgeloop.records.base import Part


class McuLine(Part):
    """How bytes crossed the serial line in the end: what board and host had agreed on, or ST's protocol as it is."""

    baud: int
    packet_bytes: int
    has_crc: bool
    """Whether a CRC stood behind each packet."""


class McuDevice(Part):
    """The device, as the lab knows it and as it describes itself."""

    name: str
    """In lab.yaml."""
    kind: str
    title: str
    serial: str | None
    """The serial number of its probe; null where it is found by a port that has none."""
    address: str
    baud: int
    """At which it was met."""
    line: McuLine | None = None
    """Null in records that are older than the agreement on it."""
    device_id: int
    clock_hz: int
    """The clock of its processor, read from the board."""
    bus_clock_hz: int
    protocol: str


class McuCode(Part):
    """The generated code that the firmware was built around; null is what its generator does not state."""

    target: str
    backend: str
    backend_version: str | None
    components: dict[str, str]
    """Versions of the generator's parts."""
    profile: str | None
    """The profile of the Neural-ART compiler; null where no NPU is used."""
    macs: int | None
    weight_bytes: int | None
    activation_ram_bytes: int | None
    io_ram_bytes: int | None
    runtime_ram_bytes: int | None
    code_flash_bytes: int | None
    internal_ram_bytes: int | None
    external_ram_bytes: int | None
    internal_flash_bytes: int | None
    external_flash_bytes: int | None


class McuFirmware(Part):
    """What was flashed, and what it says of itself."""

    sha256: str | None
    """The digest of the ELF file; null where the flash command builds it itself (n6_loader)."""
    build: list[list[str]]
    """The commands, as they were run; paths in the project begin there, those of the home folder with `~`."""
    flash: list[list[str]]
    runtime: str
    runtime_version: str
    tool_version: str
    compiled: str
    signature: str
    signature_checked: bool
    """Whether it had to be that of the generated code. ST's firmware for the NPU gives none that could be compared."""
    activation_ram_bytes: int
    weight_bytes: int
    flash_bytes: int | None = None
    """Of the whole firmware, where it is edgeloop's own, by its ELF file: the network twice (plain and observed) and all else."""
    ram_bytes: int | None = None
    """Likewise: variables, the network's memory, and what is reserved for its stack."""
