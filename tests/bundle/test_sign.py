"""Who signs, and whose signature is believed: keys of three curves, a password, certificates; and what is refused in params.yaml."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from once import Once
from pydantic import ValidationError
from signed_bundle import VARIANT, Project, certificate, finished, key_pair
from sigstore_models.bundle.v1 import Bundle

from edgeloop.bundle.files import MANIFEST, SIGNATURE
from edgeloop.bundle.sign import Trust, check_form, is_by, kind_of
from edgeloop.bundle.verify import verify
from edgeloop.config.steps import Sign
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.store.export import export
from edgeloop.store.publish import check_target, publish


@pytest.fixture(scope="module")
def made(once: Once) -> Project:
    return finished(once)


def exported(made: Project, folder: Path, **sign: object) -> Path:
    out = folder / "out"
    export(made.workspace, made.signing(**sign), VARIANT, out)
    return out


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_key_of_each_curve_signs(curve: ec.EllipticCurve, made: Project, tmp_path: Path) -> None:
    key_pair(tmp_path, "key", curve)
    assert verify(exported(made, tmp_path, key=tmp_path / "key.pem"), Trust(key=tmp_path / "key.pub")).faults == []


def test_the_keys_that_the_documents_make_are_of_use(made: Project, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here")
    for line in (
        "openssl ecparam -name prime256v1 -genkey -noout -out key.pem",
        "openssl ec -in key.pem -pubout -out key.pub",
    ):
        subprocess.run(line.split(), cwd=tmp_path, check=True, capture_output=True, timeout=60)
        assert line in (Path(__file__).resolve().parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")
    assert verify(exported(made, tmp_path, key=tmp_path / "key.pem"), Trust(key=tmp_path / "key.pub")).faults == []


@pytest.mark.thorough
def test_the_tool_of_the_standard_checks_what_we_sign(made: Project, tmp_path: Path) -> None:
    key_pair(tmp_path, "key")
    out = exported(made, tmp_path, key=tmp_path / "key.pem")
    argv = [sys.executable, "-m", "model_signing", "verify", "key", str(out), "--signature", str(out / SIGNATURE)]
    argv += ["--public_key", str(tmp_path / "key.pub")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (out / "data.json").write_text("{}")
    assert subprocess.run(argv, capture_output=True, timeout=120, check=False).returncode != 0


def test_a_signature_by_an_identity_is_nobodys_own(made: Project, tmp_path: Path) -> None:
    key_pair(tmp_path, "key")
    out = exported(made, tmp_path, key=tmp_path / "key.pem")
    told = json.loads((out / SIGNATURE).read_bytes())
    raw = certificate(tmp_path, "Ada", key_pair(tmp_path, "ada")).public_bytes(Encoding.DER)
    told["verificationMaterial"] = {"certificate": {"rawBytes": base64.b64encode(raw).decode()}, "tlogEntries": []}
    content = Bundle.from_json(json.dumps(told)).to_json().encode()
    digests = {path.relative_to(out).as_posix(): sha256_file(path) for path in out.rglob("*") if path.is_file() and path.name != SIGNATURE}
    check_form(content, digests)
    assert kind_of(content) == "an identity (Sigstore)"
    assert not is_by(content, Sign(key=tmp_path / "key.pem"), tmp_path, digests)
    assert is_by((out / SIGNATURE).read_bytes(), Sign(key=tmp_path / "key.pem"), tmp_path, digests)


def test_a_password_comes_from_the_environment(made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_pair(tmp_path, "key", password="hunter2")
    with pytest.raises(InputError, match="SIGN_WITH holds no password"):
        exported(made, tmp_path, key=tmp_path / "key.pem", password="SIGN_WITH")
    monkeypatch.setenv("SIGN_WITH", "hunter3")
    with pytest.raises(InputError, match="cannot be used") as caught:
        exported(made, tmp_path, key=tmp_path / "key.pem", password="SIGN_WITH")
    assert "hunter3" not in str(caught.value)
    monkeypatch.setenv("SIGN_WITH", "hunter2")
    assert verify(exported(made, tmp_path, key=tmp_path / "key.pem", password="SIGN_WITH"), Trust(key=tmp_path / "key.pub")).faults == []


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("no key")], ids=["absent", "damaged"])
def test_a_key_that_cannot_be_used_is_named(spoil: Callable[[Path], object], made: Project, tmp_path: Path) -> None:
    key_pair(tmp_path, "key")
    spoil(tmp_path / "key.pem")
    with pytest.raises(InputError, match=r"publish\.sign of params\.yaml names cannot be used: .*key\.pem (cannot be read|is no private)"):
        exported(made, tmp_path, key=tmp_path / "key.pem")
    assert not (tmp_path / "out").exists()


def with_certificates(made: Project, folder: Path) -> Path:
    """Signed by `team`, whose certificate an intermediate authority issued, and that one's the root."""
    root, between, team = (key_pair(folder, name) for name in ("root", "between", "team"))
    top = certificate(folder, "root", root, is_authority=True)
    middle = certificate(folder, "between", between, (top, root), is_authority=True)
    certificate(folder, "team", team, (middle, between))
    return exported(made, folder, key=folder / "team.pem", certificate=folder / "team.crt", chain=[folder / "between.crt"])


def test_a_certificate_that_leads_to_a_trusted_one_is_believed(made: Project, tmp_path: Path) -> None:
    out = with_certificates(made, tmp_path)
    found = verify(out, Trust(certificates=(tmp_path / "root.crt",)))
    assert found.faults == []
    assert found.signed == f"signed by the owner of a certificate that leads to {tmp_path / 'root.crt'}"
    stranger = key_pair(tmp_path, "stranger")
    certificate(tmp_path, "stranger", stranger, is_authority=True)
    (fault,) = verify(out, Trust(certificates=(tmp_path / "stranger.crt",))).faults
    assert "do not lead to one that is trusted" in fault
    (fault,) = verify(out, Trust(key=tmp_path / "team.pub")).faults
    assert "model.sig is not by the owner of" in fault


def test_a_certificate_that_the_root_itself_issued(made: Project, tmp_path: Path) -> None:
    root, team = (key_pair(tmp_path, name) for name in ("root", "team"))
    certificate(tmp_path, "team", team, (certificate(tmp_path, "root", root, is_authority=True), root))
    out = exported(made, tmp_path, key=tmp_path / "team.pem", certificate=tmp_path / "team.crt", chain=[tmp_path / "root.crt"])
    assert verify(out, Trust(certificates=(tmp_path / "root.crt",))).faults == []


@pytest.mark.thorough
def test_every_part_of_the_certificates_in_a_signature_counts(made: Project, tmp_path: Path) -> None:
    out, trust = with_certificates(made, tmp_path), Trust(certificates=(tmp_path / "root.crt",))
    path = out / SIGNATURE
    original = path.read_bytes()
    end = original.index(b"dsseEnvelope")
    for place in range(0, end, 11):
        path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
        assert verify(out, trust).faults, place


def test_a_key_without_a_certificate_is_not_believed_as_one_with(made: Project, tmp_path: Path) -> None:
    root = key_pair(tmp_path, "root")
    certificate(tmp_path, "root", root, is_authority=True)
    out = exported(made, tmp_path, key=tmp_path / "root.pem")
    (fault,) = verify(out, Trust(certificates=(tmp_path / "root.crt",))).faults
    assert "by a key without a certificate" in fault


def test_publishing_again_keeps_a_signature_and_another_signer_replaces_it(
    made: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And each time it is said who signs."""
    for name in ("first", "second"):
        key_pair(tmp_path, name)
    shelf = tmp_path / "shelf"

    def published(**settings: object) -> dict[str, bytes]:
        params = made.publishing(**settings)
        publish(made.workspace, params, [VARIANT], to=str(shelf))
        return {path.relative_to(shelf).as_posix(): path.read_bytes() for path in shelf.rglob("*") if path.is_file()}

    def signature(files: dict[str, bytes]) -> bytes | None:
        return next((content for name, content in files.items() if name.endswith(SIGNATURE)), None)

    unsigned = published()
    assert ": not signed: publish.sign of params.yaml names nobody" in capsys.readouterr().err
    first = published(sign=Sign(key=tmp_path / "first.pem"))
    assert f": signed with the key {tmp_path / 'first.pem'}\n" in capsys.readouterr().err
    assert (signature(unsigned), {*first} - {*unsigned}) == (None, {name for name in first if name.endswith(SIGNATURE)})
    assert all(first[name] == content for name, content in unsigned.items()), "the version is the same"
    assert published(sign=Sign(key=tmp_path / "first.pem")) == first
    assert f": signed already with the key {tmp_path / 'first.pem'}\n" in capsys.readouterr().err
    assert published() == first, "who does not sign takes no signature away"
    assert ": its signature stays as it was" in capsys.readouterr().err
    second = published(sign=Sign(key=tmp_path / "second.pem"))
    assert f"{tmp_path / 'second.pem'}, which replaces the signature that was there" in capsys.readouterr().err
    assert signature(second) != signature(first)
    (folder,) = shelf.glob(f"{VARIANT}/*/{MANIFEST}")
    assert verify(folder.parent, Trust(key=tmp_path / "second.pub")).faults == []
    assert verify(folder.parent, Trust(key=tmp_path / "first.pub")).faults != []


def test_nothing_is_published_where_the_key_is_not_there(made: Project, tmp_path: Path) -> None:
    params = made.publishing(sign=Sign(key=tmp_path / "absent.pem"), to=str(tmp_path / "shelf"))
    with pytest.raises(InputError, match="cannot be used"):
        publish(made.workspace, params, [VARIANT])
    with pytest.raises(InputError, match="cannot be used"):
        check_target(made.workspace, params)
    assert not list((tmp_path / "shelf").rglob("latest.json"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "give either key"),
        ({"key": "k.pem", "keyless": True}, "give either key"),
        ({"keyless": True, "password": "A"}, "with a key only"),
        ({"key": "k.pem", "chain": ["c.crt"]}, "give that, too"),
        ({"key": "k.pem", "password": "hunter 2"}, "a password is a secret"),
        ({"key": "k.pem", "password": "A", "certificate": "c.crt"}, "no password"),
        ({"key": "k.pem", "certificate": "c.crt"}, "needs chain"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Sign.model_validate(settings)
