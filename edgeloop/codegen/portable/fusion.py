"""Two layers that one stage computes together: the value between them has no buffer."""

from abc import abstractmethod
from typing import ClassVar, Generic, Self, TypeVar

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.parameters import Structure
from edgeloop.codegen.portable.work import Work

First = TypeVar("First", bound=Layer)
Second = TypeVar("Second", bound=Layer)


class Fusion(Work, Generic[First, Second]):
    """A layer, and the only reader of its output."""

    KINDS: ClassVar[tuple[type[Layer], type[Layer]]]

    def __init__(self, first: First, second: Second) -> None:
        self.first, self.second = first, second
        self.inputs, self.output = first.inputs, second.output

    @classmethod
    def of(cls, first: Layer, second: Layer, network: Network) -> Self | None:
        """The two as one, or None where they are computed one after the other."""
        kinds = isinstance(first, cls.KINDS[0]) and isinstance(second, cls.KINDS[1])
        return cls(first, second) if kinds and cls.fits(first, second, network) else None  # type: ignore[arg-type]

    @classmethod
    @abstractmethod
    def fits(cls, first: First, second: Second, network: Network) -> bool:
        """Whether two layers of the right kinds can be computed together."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        return (self.first, self.second)

    def structures(self) -> list[tuple[Layer, Structure]]:
        return [*self.first.structures(), *self.second.structures()]
