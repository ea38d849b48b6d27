"""edgeloop's own extension of the protocol (docs/firmware.md): the highest rate that both sides take, large packets, and CRCs.

A rate counts once `TRIALS` messages of `TRIED_BYTES` have crossed it unharmed in both directions. Nothing of this is ever sent to a
device that does not say that it knows it.
"""

from collections.abc import Iterator
from itertools import islice

from edgeloop.boards.stm32msg.exchange import Exchange, unexpected
from edgeloop.boards.stm32msg.results import Line
from edgeloop.errors import BoardError, BoardRefusal, BoardSilent, ProtocolError
from edgeloop.firmware.protocol.messages import Command, Data, State

RATES = (2_000_000, 1_500_000, 1_000_000, 921_600, 460_800, 230_400)
"""Tried in this order: rates that every system and most adapters know by name."""
PACKET_BYTES = 1024
TRIALS = 3
TRIED_BYTES = 1024
WAKE = bytes(2)
"""No packet of any kind begins so: a device that still believes in an agreement gives it up."""
CLOSE_S = 0.5
WORD = 0xFFFF_FFFF


class Agreement:
    """What a connection may still agree on: after each failure one rate less."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self._link, self._base = exchange, exchange.link, exchange.link.rate
        faster = [rate for rate in RATES if rate > self._base] if self._link.has_rate else []
        self._rates = [*faster, self._base]
        """From the highest on. The last one is that of the first contact: packets are large and have CRCs all the same."""
        self.may_hold = False
        """The board may believe in an agreement; whether we do is said by the exchange."""

    @property
    def line(self) -> Line:
        """As it is now."""
        return Line(self._link.rate, self._exchange.framing.packet_size, self._exchange.has_crc)

    @property
    def is_open(self) -> bool:
        """Whether there is something left to try."""
        return bool(self._rates) and not self._exchange.has_crc

    def reach(self, seconds: float) -> bool:
        """Agree on the highest rate that the board does not refuse, and try it, if there is any.

        False: it did not stand the trial, and is given up; the board is to be synchronised with anew.

        Raises:
            BoardError: the port is lost.
        """
        try:
            while self._rates and not self._ask(self._rates[0], seconds):
                self._rates.pop(0)
            for seed in range(TRIALS if self._rates else 0):
                self._try(seed, seconds)
        except (BoardSilent, ProtocolError, BoardRefusal):
            self._rates.pop(0)
            return False
        return True

    def lower(self) -> None:
        """Something was damaged: next time a lower rate, if there is one. CRCs are wanted all the more."""
        if self._exchange.has_crc and len(self._rates) > 1:
            self._rates.pop(0)

    def leave(self, rest_s: float) -> bytes:
        """Go back to the rate of the first contact and to small packets, and take the device with us, whatever it believes.

        Gives what came meanwhile.
        """
        if not self.may_hold:
            return b""
        self._exchange.small_packets()
        self._link.change(self._base)
        taken = self._link.drain(rest_s)
        self._link.write(WAKE)
        self.may_hold = False
        return taken

    def close(self) -> None:
        """Take the device back to where any other host looks for it, as far as it listens."""
        if not self.may_hold:
            return
        self.may_hold = False
        try:
            self._exchange.request(Command.AGREE)
            self._exchange.answer(CLOSE_S)
        except BoardError:
            self._wake()

    def _wake(self) -> None:
        try:
            self._link.change(self._base)
            self._link.write(WAKE)
        except BoardError:
            return

    def _ask(self, rate: int, seconds: float) -> bool:
        """Whether the board does so; then both do."""
        self.may_hold = True
        try:
            self._exchange.request(Command.AGREE, param=rate, opt=PACKET_BYTES)
            answer = self._exchange.answer(seconds)
        except BoardRefusal:
            self.may_hold = False
            return False
        if answer.agreement is None or answer.agreement.rate != rate or answer.agreement.size > PACKET_BYTES:
            raise unexpected("what answers AGREE", answer)
        self._exchange.use_checked_packets(answer.agreement.size)
        try:
            self._link.change(rate)
        except BoardError as error:
            raise ProtocolError(error.what, "Its rate is given up.") from error
        # An adapter needs a moment, and either end may have taken the change itself for a byte.
        self._link.drain(seconds)
        return True

    def _try(self, seed: int, seconds: float) -> None:
        self._exchange.request(Command.TRY, param=TRIED_BYTES, opt=seed)
        answer = self._exchange.answer(seconds)
        if answer.agreement is None or answer.state != State.WAITING:
            raise unexpected("what answers TRY", answer)
        tried = bytes(islice(noise(seed), TRIED_BYTES))
        self._exchange.send(Data(type=0, size=len(tried), addr=0, datas=tried), seconds)
        answer = self._exchange.answer(seconds)
        if answer.agreement is None or answer.agreement.datas != tried:
            raise unexpected("what is tried", answer)


def noise(seed: int) -> Iterator[int]:
    """The bytes that are tried: xorshift32 (Marsaglia, Xorshift RNGs, 2003), its highest byte."""
    state = seed | 1
    while True:
        state ^= state << 13 & WORD
        state ^= state >> 17
        state ^= state << 5 & WORD
        yield state >> 24
