"""The one error tree. A message says what happened, to what, and what to do.

Those marked with * may happen by chance and pass by themselves (`may_pass`): a command that ends with one of them has the
exit code 75 (EX_TEMPFAIL of sysexits.h), and a flow tries its stage again. All others come back until somebody mends something.

EdgeloopError
├── ConfigError            params.yaml or lab.yaml says something invalid
├── InputError             an argument or an input file of a step is missing or unusable
├── DataError              something is wrong with a data set
│   ├── FetchError         an archive cannot be had, or is not the one that was asked for
│   │   └── FetchInterrupted *     its server cannot be reached, or breaks off
│   ├── PictureError       an image file cannot be used
│   ├── UnsafeArchiveError an archive tries to leave its folder or to fill the machine
│   └── ValidationFailed   the declared rules of a data set do not hold
├── ModelError             a model file is damaged, or is not of the form that a step needs
├── ToolchainError         there is no C compiler, or it refuses what it was given
├── StedgeaiError          ST Edge AI Core cannot be used
│   ├── StedgeaiMissing    it is not installed here, or its version is not one that is driven
│   ├── StedgeaiTimeout    it was not done in time, and was ended
│   ├── StedgeaiUnreadable what it wrote has an unknown layout, or is cut off
│   └── StedgeaiFailure    it failed, and says why in its own words
│       ├── StedgeaiModelRefused   the model is not acceptable to it
│       ├── StedgeaiDoesNotFit     the network does not fit into the memory it was given
│       └── StedgeaiBoardError *   it cannot talk to the board
├── TrainingError          a training cannot go on (diverged, nothing to train on)
├── StoreError             the object storage refuses, or is not there
│   └── StoreSilent *      it does not answer
├── BundleError            a bundle is not what was published, or nobody vouches for it
├── NotPromoted            a variant's gates refuse it
├── BoardError             a board cannot be had, or does not do what it should
│   ├── BoardAbsent        it is not attached, or cannot be told from another one
│   ├── BoardBusy *        somebody else holds it
│   ├── FlashError         the command that builds for it, flashes it or switches it fails
│   │   ├── ProbeAbsent        there is no debug probe to flash it with
│   │   ├── ProbeAmbiguous     there are several, and nothing says which
│   │   ├── ProbeBusy          another program uses the probe, or it is stuck
│   │   ├── ProbeForbidden     this user may not open the probe
│   │   ├── TargetInReset      the part is held in reset
│   │   ├── TargetProtected    its read-out protection is on, which is never lifted
│   │   ├── TargetLocked       its debug port does not answer
│   │   └── WrongPart          it is another part
│   ├── Slower             it is slower than it was accepted
│   ├── BoardSilent *      it did not answer in time
│   ├── ProtocolError *    it answered something that its protocol does not allow
│   ├── WrongOutputs       it computes something else than the model
│   ├── BoardRefusal       it answered that it cannot do what was asked
│   ├── CoreFault          an emulated core's program did what faults on the real one
│   ├── BoardUnreachable * no connection to it can be made, or the connection broke
│   ├── BoardNotTrusted    it is not known to be the one that was meant, or does not let us in
│   └── FarmError          ST's farm of boards refuses, or answers what nobody understands; says nothing of a model
│       ├── FarmLogin          it does not let us in, or there is no account to log in with
│       ├── FarmSilent *       it does not answer in time, is overloaded, or its queue is too long
│       └── FarmFailed *       something broke there: a board, its machine, a build
├── ServiceError           a service (store, Prefect's server) does not start or stop, or refuses
│   └── ServiceSilent *    it does not answer
├── StageError             a stage of the pipeline failed
│   └── StageMayPass *     of something that may pass by itself
├── DiskError              a disk is full, or may not be written to
└── MachineError           `edgeloop doctor` found something broken that is needed
"""

from typing import ClassVar


class EdgeloopError(Exception):
    """Base of every error that edgeloop raises on purpose.

    `what` is a sentence on what happened and to what; `remedy` says what the user can do.
    """

    may_pass: ClassVar[bool] = False
    """Whether the same may succeed a little later, although nobody changed anything."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  {self.remedy}" if self.remedy else self.what


class ConfigError(EdgeloopError):
    """A configuration file says something invalid."""


class InputError(EdgeloopError):
    """An argument or an input file of a step is missing or unusable."""


class DataError(EdgeloopError):
    """Something is wrong with a data set."""


class FetchError(DataError):
    """An archive cannot be had, or is not the one that was asked for."""


class FetchInterrupted(FetchError):
    """The server of an archive cannot be reached, or breaks off."""

    may_pass = True


class PictureError(DataError):
    """An image file cannot be used: `kind` is one of the reasons that a manifest has, `detail` what about this file."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class UnsafeArchiveError(DataError):
    """An archive tries to leave its folder or to fill the machine."""


class ValidationFailed(DataError):
    """The declared rules of a data set do not hold."""


class ModelError(EdgeloopError):
    """A model file is damaged, or is not of the form that a step needs."""


class ToolchainError(EdgeloopError):
    """There is no C compiler, or it refuses what it was given."""


class StedgeaiError(EdgeloopError):
    """ST Edge AI Core cannot be used."""


class StedgeaiMissing(StedgeaiError):
    """ST Edge AI Core is not installed here, or its version is not one that is driven."""


class StedgeaiTimeout(StedgeaiError):
    """ST Edge AI Core was not done in time, and was ended."""


class StedgeaiUnreadable(StedgeaiError):
    """What ST Edge AI Core wrote has an unknown layout, or is cut off."""


class StedgeaiFailure(StedgeaiError):
    """ST Edge AI Core failed; `words` is the whole message in its own words, `kind` how it names the sort of failure."""

    def __init__(self, what: str, remedy: str = "", *, kind: str = "", words: str = "") -> None:
        super().__init__(what, remedy)
        self.kind = kind
        self.words = words


class StedgeaiModelRefused(StedgeaiFailure):
    """The model is not acceptable to ST Edge AI Core."""


class StedgeaiDoesNotFit(StedgeaiFailure):
    """The network does not fit into the memory that it was given."""


class StedgeaiBoardError(StedgeaiFailure):
    """ST Edge AI Core cannot talk to the board."""

    may_pass = True


class TrainingError(EdgeloopError):
    """A training cannot go on."""


class StoreError(EdgeloopError):
    """The object storage refuses, or is not there."""


class StoreSilent(StoreError):
    """The object storage does not answer."""

    may_pass = True


class BundleError(EdgeloopError):
    """A bundle is damaged, incomplete, not what its signature is of, or its files do not follow from each other."""


class NotPromoted(EdgeloopError):
    """A variant's gates refuse to make it champion."""


class BoardError(EdgeloopError):
    """A board cannot be had, or does not do what it should."""


class BoardAbsent(BoardError):
    """A board is not attached, or cannot be told from another one."""


class BoardBusy(BoardError):
    """Somebody else holds a board."""

    may_pass = True


class FlashError(BoardError):
    """The command that builds for a board, flashes it or switches it fails."""


class ProbeAbsent(FlashError):
    """There is no debug probe to flash a board with."""


class ProbeAmbiguous(FlashError):
    """There are several debug probes, and nothing says which one is the board's."""


class ProbeBusy(FlashError):
    """Another program uses a board's debug probe, or it is stuck."""


class ProbeForbidden(FlashError):
    """This user may not open a board's debug probe."""


class TargetInReset(FlashError):
    """A board's part is held in reset."""


class TargetProtected(FlashError):
    """The read-out protection of a board's part is on. It is never lifted here."""


class TargetLocked(FlashError):
    """The debug port of a board's part does not answer."""


class WrongPart(FlashError):
    """On a board's probe is another part than its kind has. Nothing was written."""


class CoreFault(BoardError):
    """An emulated core's program did what faults on the real one; it cannot go on.

    `address` is what it accessed, None where the fault is no access; `program_counter` the instruction, or the beginning
    of the straight run of instructions that holds it.
    """

    def __init__(self, what: str, remedy: str = "", program_counter: int = 0, address: int | None = None) -> None:
        super().__init__(what, remedy)
        self.program_counter = program_counter
        self.address = address


class Slower(BoardError):
    """A model on a board is slower than it was accepted."""


class BoardSilent(BoardError):
    """A board did not answer in time."""

    may_pass = True


class ProtocolError(BoardError):
    """A board answered something that its protocol does not allow."""

    may_pass = True


class WrongOutputs(BoardError):
    """A board computes something else than the model: whatever time it took is no time of this model."""


class BoardRefusal(BoardError):
    """A board answered that it cannot do what was asked; `code` is its own number for the reason."""

    def __init__(self, what: str, remedy: str = "", code: int = 0) -> None:
        super().__init__(what, remedy)
        self.code = code


class BoardUnreachable(BoardError):
    """No connection to a board can be made, or the connection broke."""

    may_pass = True


class BoardNotTrusted(BoardError):
    """A board is not known to be the one that was meant, or does not let us in."""


class FarmError(BoardError):
    """ST's farm of boards refuses what was asked, or answers what nobody understands; never an error of the model."""


class FarmLogin(FarmError):
    """ST's farm does not let us in, or there is no account to log in with."""


class FarmSilent(FarmError):
    """ST's farm does not answer in time, is overloaded, or its queue is too long."""

    may_pass = True


class FarmFailed(FarmError):
    """Something broke at ST's farm while it worked for us: a board, the machine that it is attached to, a build."""

    may_pass = True


class ServiceError(EdgeloopError):
    """A service does not start or stop, or refuses what it is asked."""


class ServiceSilent(ServiceError):
    """A service does not answer."""

    may_pass = True


class StageError(EdgeloopError):
    """A stage of the pipeline failed."""


class StageMayPass(StageError):
    """A stage of the pipeline failed of something that may pass by itself."""

    may_pass = True


class MachineError(EdgeloopError):
    """Something that is needed on this machine is broken or missing."""


class DiskError(EdgeloopError):
    """A disk is full, or may not be written to."""
