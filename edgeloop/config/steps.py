"""The other steps in params.yaml: their settings, the same for all variants, and when flows run by themselves."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from edgeloop.config.section import Positive, Section, Some, Words
from edgeloop.times import cron_fault, is_time_zone, time_zones
from edgeloop.userpath import PathOrVersion, UserPath
from edgeloop.yamlfile import near_match


def environment_variable(name: str | None, why: str) -> str | None:
    """The name of a variable, as params.yaml gives it in place of a secret."""
    if name is not None and not name.replace("_", "A").isalnum():
        raise ValueError(f"{why}, and params.yaml is committed: give the name of an environment variable that holds it")
    return name


class Quantize(Section):
    """Calibration of the int8 models."""

    calibration_images: Positive = 200
    seed: int = 127


class Generate(Section):
    """What code is generated from the int8 models."""

    target: str = "stm32h7"
    backend: Literal["auto", "portable", "stedgeai", "st-cloud"] = "portable"
    stream_input: bool = False
    profile: str | None = None
    tool: PathOrVersion | None = None

    @model_validator(mode="after")
    def _of_use(self) -> "Generate":
        if self.backend == "portable" and (self.profile or self.tool):
            raise ValueError("profile and tool are of use for ST Edge AI Core only: backend is portable")
        if self.backend in ("stedgeai", "st-cloud") and self.stream_input:
            raise ValueError(f"stream_input is of use for the portable generator only: backend is {self.backend}")
        return self


class Evaluate(Section):
    """How test accuracy is read."""

    top5_from_classes: Positive = 11


class Benchmark(Section):
    """How latency is measured; `images` are run on an emulated board, whose counts need no repetition."""

    threads: Positive = 1
    warmup_runs: Positive = 20
    windows: Annotated[int, Field(ge=5)] = 7
    runs_per_window: Positive = 50
    images: Positive = 16


class Sign(Section):
    """Who vouches for what is published: a private key, with a certificate of it where there is one; or an identity (keyless)."""

    key: UserPath | None = None
    """PEM, elliptic curve P-256, P-384 or P-521; beginning in the project's folder."""
    password: str | None = None
    """The name of an environment variable that holds the key's password."""
    certificate: UserPath | None = None
    chain: Some[UserPath] = ()
    """The certificates that this one leads to, its issuer's first; the root's own where that issued it."""
    keyless: bool = False
    """By a short-lived certificate of Sigstore's public service, which asks who one is. Needs the internet."""

    @field_validator("password")
    @classmethod
    def _is_a_variable(cls, name: str | None) -> str | None:
        return environment_variable(name, "a password is a secret")

    @model_validator(mode="after")
    def _one_way(self) -> "Sign":
        if (self.key is not None) == self.keyless:
            raise ValueError("give either key, the path of a private key, or keyless: true")
        if self.key is None and (self.password or self.certificate or self.chain):
            raise ValueError("password, certificate and chain are of use with a key only")
        if self.chain and self.certificate is None:
            raise ValueError("chain leads from a certificate: give that, too")
        if self.certificate and self.password:
            raise ValueError("with a certificate the key has no password: model-signing takes none")
        if self.certificate and not self.chain:
            raise ValueError("a certificate needs chain: its issuer's certificate, and those that this one leads to")
        return self


class Publish(Section):
    """Where cards go: `s3://bucket/prefix` or a folder. `endpoint` is empty for AWS, `local` for `edgeloop store up`."""

    to: str = "s3://edgeloop/cards"
    endpoint: str = "local"
    checksums: Literal["when_supported", "when_required"] = "when_supported"
    sign: Sign | None = None
    permitted_licenses: Some[str] = ()
    """Licenses that edgeloop does not know, and that somebody has read: they allow to hand on what is derived."""


class Watch(Section):
    """When a benchmark that got slower is an alert, and who is told."""

    slower_by: Annotated[float, Field(gt=0)] = 0.03
    """As a share, beyond the spread of the two measurements."""
    webhook: str | None = None
    """The name of an environment variable that holds the address: such an address is a secret."""

    @field_validator("webhook")
    @classmethod
    def _is_a_variable(cls, name: str | None) -> str | None:
        return environment_variable(name, "an address holds a secret")


class Ingest(Section):
    """Where new images of a data set come from by themselves: a folder of class folders, or s3://bucket/prefix."""

    origin: Annotated[str, Field(alias="from")]
    endpoint: str | None = None
    """The address of the S3 server; by default that of `publish`."""
    retrain: bool = True
    """Whether the variants that stand on the data are built again."""
    publish: bool = False
    push: bool = False
    """Whether what is committed goes to the branch's upstream, and its data to the DVC remote: other machines need both."""

    @model_validator(mode="after")
    def _has_something_to_publish(self) -> "Ingest":
        if self.publish and not self.retrain:
            raise ValueError("publish has no use without retrain: there are no new cards")
        return self


OFF = "off"


class Timed(Section):
    """When a flow runs by itself, a cron line or `off`, and which variants it is for."""

    cron: str = OFF
    variants: Annotated[Words, Field(min_length=1)] = ("all",)
    """As in `build`; of those that are built."""

    @field_validator("cron")
    @classmethod
    def _is_a_cron_line(cls, line: str) -> str:
        return _cron(line)


def _timed(given: Any) -> Any:
    return {"cron": _cron(given)} if isinstance(given, str) else given


TimedOrCron = Annotated[Timed, BeforeValidator(_timed)]
"""All variants where it is a cron line alone."""


class Schedules(Section):
    """When flows run by themselves: a cron line of five fields, or `off`."""

    timezone: str = "UTC"
    retrain: TimedOrCron = Timed()
    benchmark: TimedOrCron = Timed()
    ingest: str = OFF

    @field_validator("ingest")
    @classmethod
    def _is_a_cron_line(cls, line: str) -> str:
        return _cron(line)

    @field_validator("timezone")
    @classmethod
    def _is_a_time_zone(cls, name: str) -> str:
        if not is_time_zone(name):
            raise ValueError(f"'{name}' is no time zone of the IANA's list{near_match(name, time_zones())}")
        return name


def _cron(line: str) -> str:
    if line != OFF and (reason := cron_fault(line)) is not None:
        raise ValueError(f"'{line}' is neither a cron line of five fields (such as '0 2 * * *', at 2 every night) nor off: {reason}")
    return line
