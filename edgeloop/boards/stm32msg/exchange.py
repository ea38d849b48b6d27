"""One message each way: requests with their numbers, answers with a deadline, log messages acknowledged and kept."""

from contextlib import suppress
from dataclasses import dataclass, field, fields

from edgeloop.boards.stm32msg.framing import ASK, MOST_PACKET, SMALL_PACKET, CheckedFraming, Framing
from edgeloop.boards.stm32msg.link import Link
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardRefusal, BoardSilent, ProtocolError
from edgeloop.firmware.protocol.messages import Acknowledgement, Command, Failure, Log, Request, Response, Response32, State
from edgeloop.firmware.protocol.wire import DataclassLike, decode, delimited, encode

SLOWEST_BYTES_PER_S = 2_000
"""A message that comes or goes more slowly has stalled; 115200 baud carry 11,500."""
SHORT_MESSAGE_BYTES = 8_192
"""Longest message without a tensor's data; the longest is a model's information."""
MOST_MESSAGE_BYTES = 32 << 20
MOST_LOGS = 10_000
"""Before one answer."""
ASK_S = 0.5
FEED_S = 60.0
REMEDIES: dict[int, str] = {
    Failure.INVALID_SIZE: "It counted another number of input bytes: bytes were lost on the way, or the model on it takes another input.",
    Failure.INVALID_CMD: "Its firmware does not offer this command.",
    Failure.MEM_OVERFLOW: "The part has too little memory for this.",
}


class AsksForMore(ProtocolError):
    """The board believes to be within a message from the host."""


class AnswersEarlier(ProtocolError):
    """The board is still busy with a request before the last one."""


@dataclass(frozen=True)
class Version:
    """One version of the protocol."""

    name: str
    number: int
    framing: Framing
    response: type[Response]


V31 = Version("3.1", 0x0301, Framing(header_bytes=1), Response)
V32 = Version("3.2", 0x0302, Framing(header_bytes=2), Response32)
VERSIONS = {version.name: version for version in (V31, V32)}


@dataclass
class Exchange:
    """The state of a connection: the packets' form, the last request's number, and the log messages so far."""

    link: Link
    version: Version
    logs: list[Log] = field(default_factory=list)
    request_number: int = 0

    def __post_init__(self) -> None:
        self.framing = self.version.framing

    def small_packets(self) -> None:
        """As after every SYNC."""
        self.framing = self.version.framing

    def use_packets(self, size: int) -> None:
        """From now on packets of `size` useful bytes, both ways (3.2).

        Raises:
            ProtocolError: they cannot be that large or small.
        """
        if not SMALL_PACKET <= size <= MOST_PACKET:
            raise ProtocolError(f"The board asks for packets of {size} bytes.", f"{SMALL_PACKET} to {MOST_PACKET} are possible.")
        self.framing = Framing(self.framing.header_bytes, size)

    def use_checked_packets(self, size: int) -> None:
        """From now on packets of edgeloop's extension, of up to `size` useful bytes.

        Raises:
            ProtocolError: they cannot be that large or small.
        """
        self.use_packets(size)
        self.framing = CheckedFraming(packet_size=size)

    @property
    def has_crc(self) -> bool:
        """Whether packets are those of edgeloop's extension."""
        return isinstance(self.framing, CheckedFraming)

    def request(self, command: Command, param: int = 0, name: str = "", opt: int = 0) -> None:
        """Begin a transaction.

        Raises:
            ProtocolError: the board sent something that nobody asked for.
        """
        if self.link.has_unread:
            raise ProtocolError("The board sent something without being asked.", "Another program uses the port, or the board was reset.")
        self.request_number += 1
        self.send(Request(reqid=self.request_number, cmd=command, param=param, name=name, opt=opt))

    def send(self, message: DataclassLike, seconds: float = 5.0) -> None:
        """Send a message: the board asks for every packet but the first, and may pause for `seconds` in all."""
        begun = Deadline.after(seconds)
        for number, packet in enumerate(self.framing.packets(delimited(encode(message)))):
            if number:
                self._await_ask(begun.later(number * len(packet) / SLOWEST_BYTES_PER_S))
            self.link.write(packet)

    def acknowledge(self) -> None:
        self.send(Acknowledgement(param=0, error=0))

    def answer(self, seconds: float, most_bytes: int = SHORT_MESSAGE_BYTES) -> Response:
        """The next answer to the last request, behind any log messages, which are acknowledged and kept.

        Raises:
            BoardSilent: it did not come in time.
            ProtocolError: something else came.
            BoardRefusal: the board answers that it cannot.
        """
        for _ in range(MOST_LOGS):
            response = decode(self.version.response, self._receive(seconds, most_bytes))
            self._check(response)
            if response.log is None:
                return response
            self.logs.append(response.log)
            self.acknowledge()
        raise ProtocolError(f"The board sent {MOST_LOGS} log messages and no answer.", "Reset it and try again.")

    def feed(self) -> None:
        """Give a board that waits for the rest of a message packets of nothing until it asks for no more."""
        packet = next(self.framing.packets(bytes(self.framing.packet_size)))
        overall = Deadline.after(FEED_S)
        with suppress(BoardSilent):
            while not overall.is_over:
                self.link.write(packet)
                if self.link.read(1, Deadline.after(ASK_S)) != bytes([ASK]):
                    return

    def _await_ask(self, deadline: Deadline) -> None:
        (byte,) = self.link.read(1, deadline)
        if byte != ASK:
            raise ProtocolError(
                f"The board sent 0x{byte:02x} within a message to it, where only 0x{ASK:02x} may come.", "It lost a packet: run it again."
            )

    def _receive(self, seconds: float, most_bytes: int) -> bytes:
        begun, message = Deadline.after(seconds), bytearray()
        while True:
            useful, is_last = self._packet(begun.later(len(message) / SLOWEST_BYTES_PER_S))
            message += useful
            if len(message) > most_bytes:
                raise ProtocolError(f"The board sent a message of more than {most_bytes} bytes.", "Check its firmware's version.")
            if is_last:
                return bytes(message)

    def _packet(self, deadline: Deadline) -> tuple[bytes, bool]:
        header = self.link.read(self.framing.header_bytes, deadline)
        if header[0] == ASK:
            raise AsksForMore("The board waits for the rest of an earlier message.", "That is put right by synchronising anew.")
        return self.framing.useful(header + self.link.read(self.framing.wire_bytes_behind(header), deadline))

    def _check(self, response: Response) -> None:
        if response.reqid != self.request_number:
            kind = AnswersEarlier if response.reqid < self.request_number else ProtocolError
            raise kind(
                f"The board answered request {response.reqid}, not {self.request_number}.",
                "Another program uses the port, or it was reset.",
            )
        if len(_payloads(response)) != 1:
            raise ProtocolError("The board sent an answer that holds nothing, or several things.", "Check its firmware's version.")
        if response.state == State.ERROR:
            raise _refusal(response.ack)


def _refusal(ack: Acknowledgement | None) -> BoardRefusal | ProtocolError:
    if ack is None:
        return ProtocolError("The board reports an error and does not say which.", "Check its firmware's version.")
    name = Failure(ack.error).name if ack.error in list(Failure) else "unknown to edgeloop"
    return BoardRefusal(
        f"The board refuses with error {ack.error} ({name}), parameter {ack.param}.",
        REMEDIES.get(ack.error, "Reset it, and check that its firmware was made for this model."),
        code=ack.error,
    )


def unexpected(wanted: str, answer: Response) -> ProtocolError:
    """What is raised where another payload came than must come."""
    return ProtocolError(
        f"The board sent '{_payloads(answer)[0]}' (state {answer.state}) where {wanted} must come.",
        "Something was lost or doubled on the way.",
    )


def _payloads(response: Response) -> list[str]:
    return [one.name for one in fields(response) if one.name not in ("reqid", "state") and getattr(response, one.name) is not None]
