"""A signed bundle of a finished variant, and the keys to it."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from card_records import Story
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from once import Once

from edgeloop.cards.card import card
from edgeloop.config import Params, load_params
from edgeloop.config.steps import Sign
from edgeloop.store.export import export
from edgeloop.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
VARIANT = "sample-fdmobilenet_0.25-96"
MOMENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Project:
    """A workspace with a built card."""

    workspace: Workspace
    params: Params

    def signing(self, **sign: Any) -> Params:
        """The parameters with somebody who signs."""
        return self.publishing(sign=Sign(**sign))

    def publishing(self, **settings: Any) -> Params:
        return self.params.model_copy(update={"publish": self.params.publish.model_copy(update=settings)})


def project(folder: Path, **story: Any) -> Project:
    """A project in a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    workspace = Workspace(folder)
    told: dict[str, Any] = {"generated": True, "mcu_board": "h7", "linux_board": "linux"}
    params = Story(**(told | story)).write(workspace)
    card(workspace, params, VARIANT)
    return Project(workspace, load_params(workspace))


def finished(once: Once) -> Project:
    """A project with a built card and an export that is signed, for all who change neither; `team.pub` lies beside it."""
    return opened(once("signed bundle", _make) / "project")


def opened(root: Path) -> Project:
    """A project that was made before."""
    return Project(Workspace(root), load_params(Workspace(root)))


def _make(folder: Path) -> None:
    signed_bundle(folder)


def key_pair(folder: Path, name: str, curve: ec.EllipticCurve | None = None, password: str | None = None) -> ec.EllipticCurvePrivateKey:
    """Write NAME.pem and NAME.pub, as openssl would."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    locked = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    (folder / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    (folder / f"{name}.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return key


def certificate(
    folder: Path,
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: "tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None" = None,
    *,
    is_authority: bool = False,
) -> x509.Certificate:
    """Write NAME.crt: of a key, by an issuer or by itself."""
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(not is_authority, False, False, False, False, is_authority, is_authority, False, False)
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(issuer[0].subject if issuer else own)
        .public_key(key.public_key())
        .serial_number(len(name) + 1)
        .not_valid_before(MOMENT)
        .not_valid_after(MOMENT + dt.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(made.public_bytes(Encoding.PEM))
    return made


def signed_bundle(folder: Path, **story: Any) -> Path:
    """An export that `team.pem` has signed; `team.pub` lies beside the project, in `folder`."""
    made = project(folder / "project", **story)
    key_pair(folder, "team")
    out = folder / "bundle"
    export(made.workspace, made.signing(key=folder / "team.pem"), VARIANT, out)
    return out
