"""Messages in packets: a header with the count of useful bytes, and an end flag from the device.

ST's packets are all of one length. Those of edgeloop's extension are as long as what is in them, and end with a CRC.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from edgeloop.errors import ProtocolError

ASK = 0xAA
"""What a device sends to get the next packet of a message."""
SMALL_PACKET = 32
"""Useful bytes in a packet, at least until 3.2 negotiates more."""
MOST_PACKET = 4094
CRC_BYTES = 4


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

    def wire_bytes_behind(self, header: bytes) -> int:
        """How many bytes follow a header of the device.

        Raises:
            ProtocolError: the header is none that a device may send.
        """
        del header
        return self.packet_size

    def useful(self, packet: bytes) -> tuple[bytes, bool]:
        """The useful bytes of a packet, device to host, and whether the message ends with it.

        Raises:
            ProtocolError: the header is none that a device may send, or the packet is damaged.
        """
        count, is_last = self._read(packet[: self.header_bytes])
        return packet[self.header_bytes : self.header_bytes + count], is_last

    def _read(self, stored: bytes) -> tuple[int, bool]:
        """How many bytes are useful, and whether the message ends."""
        header = int.from_bytes(stored, "big")
        count, is_last = header & ~self.end_flag, bool(header & self.end_flag)
        if count > self.packet_size or (is_last and count == self.packet_size) or not (is_last or count == self.packet_size):
            raise ProtocolError(
                f"The board sent a packet with the header 0x{header:0{2 * self.header_bytes}x}, which does not exist.",
                "Something else than the protocol is on that port, or at another rate: check the port, its rate, and the firmware.",
            )
        return count, is_last


@dataclass(frozen=True)
class CheckedFraming(Framing):
    """Packets of edgeloop's extension: bit 14 of the header is set, which is in none of ST's; no padding; a CRC-32 behind."""

    header_bytes: int = 2

    @property
    def mark(self) -> int:
        return self.end_flag >> 1

    def packets(self, message: bytes) -> Iterator[bytes]:
        """The packets, host to device: no end flag."""
        for start in range(0, len(message), self.packet_size):
            useful = message[start : start + self.packet_size]
            content = (self.mark | len(useful)).to_bytes(self.header_bytes, "big") + useful
            yield content + crc32(content).to_bytes(CRC_BYTES, "big")

    def wire_bytes_behind(self, header: bytes) -> int:
        """As many as the header says, and the CRC."""
        return self._read(header)[0] + CRC_BYTES

    def useful(self, packet: bytes) -> tuple[bytes, bool]:
        """Where the CRC says that the packet is what was sent."""
        if crc32(packet[:-CRC_BYTES]) != int.from_bytes(packet[-CRC_BYTES:], "big"):
            raise ProtocolError("The board sent a packet that was damaged on its way (CRC).", "Check cable and adapter; run it again.")
        return super().useful(packet)

    def _read(self, stored: bytes) -> tuple[int, bool]:
        header = int.from_bytes(stored, "big")
        # Without its mark, a header that lacks it exists even less.
        return super()._read((header ^ self.mark).to_bytes(self.header_bytes, "big"))
