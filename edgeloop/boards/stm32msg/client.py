"""A board that runs a validation firmware: synchronise, information, run; with bounded retries that are counted.

A run that saw a protocol error is no result: the connection is synchronised anew, the model is checked to be the same,
and the run is repeated as a whole.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from numpy.typing import NDArray

from edgeloop.boards.stm32msg.agreement import Agreement
from edgeloop.boards.stm32msg.exchange import V31, AnswersEarlier, AsksForMore, Exchange, Version, unexpected
from edgeloop.boards.stm32msg.link import RATE, Link
from edgeloop.boards.stm32msg.results import Disturbances, Line, NetworkInformation, NetworkRun, System, network_information, system
from edgeloop.boards.stm32msg.run import Mode, Patience, run_once
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardError, BoardRefusal, BoardSilent, ProtocolError
from edgeloop.firmware.protocol.messages import Capability, Command, Failure, SystemInformation32

MOST_NETWORKS = 64
MOST_TEXT = 1 << 16
LEAVING_S = 5.0
"""How long a board may go on with its answers at a rate that was given up."""
Result = TypeVar("Result")


class BoardClient:
    """A connection to a board; a context manager. `address`: a port's path or a URL of pyserial; `rate`: of the first contact.

    `agrees`: whether a firmware of edgeloop's is asked for a higher rate, larger packets, and CRCs.

    Raises:
        BoardError: the port cannot be had, or the board speaks another version.
        BoardSilent: nothing answers.
    """

    def __init__(
        self, address: str, *, rate: int = RATE, version: Version = V31, patience: Patience | None = None, agrees: bool = True
    ) -> None:
        self.patience = patience or Patience()
        self.disturbances = Disturbances()
        self.boot_text = ""
        """What the board sent without being asked, as a board does that starts; the last `MOST_TEXT` characters."""
        self.capabilities = Capability(0)
        self._known: list[NetworkInformation] = []
        self._link = Link(address, rate)
        self._exchange = Exchange(self._link, version)
        self._agreement = Agreement(self._exchange)
        self._agrees = agrees and version is V31
        try:
            self._begin(self.patience.boot_s)
        except BoardError:
            self.close()
            raise

    @property
    def version(self) -> str:
        """The version of the protocol, as it was agreed on."""
        return self._exchange.version.name

    @property
    def line(self) -> Line:
        """The rate and the packets, as they were agreed on."""
        return self._agreement.line

    @property
    def logs(self) -> list[str]:
        """The texts of all log messages so far."""
        return [log.str for log in self._exchange.logs]

    def system(self) -> System:
        """The part."""
        return self._repeated(self._system)

    def networks(self) -> list[NetworkInformation]:
        """The models in the firmware; those that are there later on, after an interruption, must be the same."""
        self._known = []
        self._known = self._repeated(self._networks)
        return self._known

    def network(self, signature: str) -> NetworkInformation:
        """The model of that signature.

        Raises:
            BoardError: the board holds another model.
        """
        found = self.networks()
        for network in found:
            if network.signature.lower() == signature.lower():
                return network
        held = ", ".join(f"'{network.name}' {network.signature}" for network in found) or "none"
        raise BoardError(f"The board holds another model than the one with the signature {signature}. It holds: {held}.", "Flash it anew.")

    def run(self, network: NetworkInformation, inputs: Sequence[NDArray[Any]], mode: Mode = Mode.IO_ONLY) -> NetworkRun:
        """One inference. `inputs`: an array for each of the model's inputs, of its very type and shape (without batch will do).

        Raises:
            InputError: an input is of another type or size.
            BoardRefusal: the board cannot.
            BoardSilent, ProtocolError: it does not answer, or wrongly, also when tried again.
        """
        return self._repeated(lambda: run_once(self._exchange, network, inputs, mode, self.patience))

    def close(self) -> None:
        """Give the port back, and leave the board as it was met."""
        self._agreement.close()
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repeated(self, action: Callable[[], Result]) -> Result:
        """Do it; when the protocol breaks, recover and do it again, at most `patience.retries` times."""
        begun = action
        for left in reversed(range(self.patience.retries + 1)):
            try:
                return begun()
            except (BoardSilent, ProtocolError):
                self.disturbances.protocol_errors += 1
                if not left:
                    raise
                self.disturbances.retries += 1
                self._agreement.lower()
            begun = self._recovered(action)
        raise AssertionError("the last try returns or raises")

    def _recovered(self, action: Callable[[], Result]) -> Callable[[], Result]:
        def begin() -> Result:
            self._begin(self.patience.rest_s)
            if self._known and self._networks() != self._known:
                raise BoardError("The board holds another model than before the connection broke.", "Flash it anew.")
            return action()

        return begin

    def _begin(self, rest_s: float) -> None:
        """Synchronise, and agree on what is faster and safer where the board offers it."""
        self._synchronise(rest_s)
        while self._may_agree and not self._agreement.reach(self.patience.sync_s):
            self._synchronise(rest_s)

    @property
    def _may_agree(self) -> bool:
        return self._agrees and Capability.AGREES in self.capabilities and self._agreement.is_open

    def _synchronise(self, rest_s: float) -> None:
        """Begin anew, behind what the board still sends: its boot text, or within `rest_s` the rest of a run that was given up."""
        end, left = Deadline.after(rest_s), self.patience.sync_tries
        leaving = Deadline.after(LEAVING_S if self._agreement.may_hold else 0.0)
        self._heard(self._agreement.leave(rest_s))
        while True:
            try:
                self._sync(rest_s)
                return
            except (BoardSilent, ProtocolError) as error:
                # A board that answers earlier requests is busy, not broken; and so is, for a while, one that does it at another rate.
                is_garbage = isinstance(error, ProtocolError) and not leaving.is_over
                left -= not (isinstance(error, AnswersEarlier) or is_garbage) or end.is_over
                if not left:
                    raise
                self.disturbances.protocol_errors += 1
                if isinstance(error, AsksForMore):
                    self._exchange.feed()

    def _sync(self, rest_s: float) -> None:
        self._exchange.small_packets()
        self._heard(self._link.drain(rest_s))
        self._exchange.request(Command.SYNC)
        answer = self._exchange.answer(self.patience.sync_s)
        if answer.sync is None:
            raise unexpected("what answers SYNC", answer)
        wanted = self._exchange.version
        if answer.sync.version != wanted.number:
            raise BoardError(
                f"The board speaks version {answer.sync.version >> 8}.{answer.sync.version & 0xFF} of the protocol, not {wanted.name}.",
                "Connect with that version, or flash a firmware of the matching release of the tool.",
            )
        self.capabilities = Capability(answer.sync.capability)

    def _heard(self, text: bytes) -> None:
        self.boot_text = (self.boot_text + text.decode("ascii", errors="replace"))[-MOST_TEXT:]

    def _system(self) -> System:
        self._exchange.request(Command.SYS_INFO)
        answer = self._exchange.answer(self.patience.information_s)
        if answer.sinfo is None:
            raise unexpected("what answers SYS_INFO", answer)
        if isinstance(answer.sinfo, SystemInformation32) and answer.sinfo.com_param:
            self._exchange.use_packets(answer.sinfo.com_param)
        return system(answer.sinfo)

    def _networks(self) -> list[NetworkInformation]:
        found: list[NetworkInformation] = []
        while len(found) < MOST_NETWORKS:
            self._exchange.request(Command.NETWORK_INFO, param=len(found))
            try:
                answer = self._exchange.answer(self.patience.information_s)
            except BoardRefusal as refusal:
                if refusal.code == Failure.INVALID_PARAM:
                    return found
                raise
            if answer.minfo is None:
                raise unexpected("what answers NETWORK_INFO", answer)
            found.append(network_information(answer.minfo))
        raise ProtocolError(f"The board claims to hold more than {MOST_NETWORKS} models.", "Check its firmware.")
