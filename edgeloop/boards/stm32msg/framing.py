"""Messages in packets: equal packets both ways, a header with the count of useful bytes, and an end flag from the device."""

from collections.abc import Iterator
from dataclasses import dataclass

from edgeloop.errors import ProtocolError

ASK = 0xAA
"""What a device sends to get the next packet of a message."""
SMALL_PACKET = 32
"""Useful bytes in a packet, at least until 3.2 negotiates more."""
MOST_PACKET = 4094


@dataclass(frozen=True)
class Framing:
    """How one version of the protocol cuts messages."""

    header_bytes: int
    """1 in 3.1, 2 (big-endian) in 3.2; the highest bit is the end flag."""
    packet_size: int = SMALL_PACKET
    """Bytes behind the header, padding included."""

    @property
    def wire_bytes(self) -> int:
        """The bytes of every packet on the line."""
        return self.header_bytes + self.packet_size

    @property
    def end_flag(self) -> int:
        return 1 << (8 * self.header_bytes - 1)

    def packets(self, message: bytes) -> Iterator[bytes]:
        """The packets, host to device: no end flag."""
        for start in range(0, len(message), self.packet_size):
            useful = message[start : start + self.packet_size]
            yield len(useful).to_bytes(self.header_bytes, "big") + useful.ljust(self.packet_size, b"\0")

    def useful(self, packet: bytes) -> tuple[bytes, bool]:
        """The useful bytes of a packet, device to host, and whether the message ends with it.

        Raises:
            ProtocolError: the header is none that a device may send.
        """
        header = int.from_bytes(packet[: self.header_bytes], "big")
        count, is_last = header & ~self.end_flag, bool(header & self.end_flag)
        if count > self.packet_size or (is_last and count == self.packet_size) or not (is_last or count == self.packet_size):
            raise ProtocolError(
                f"The board sent a packet with the header 0x{header:0{2 * self.header_bytes}x}, which does not exist.",
                "Something else than the protocol is on that port, or at another rate: check the port, its rate, and the firmware.",
            )
        return packet[self.header_bytes : self.header_bytes + count], is_last
