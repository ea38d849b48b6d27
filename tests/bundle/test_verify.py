"""What `verify` sees: every changed byte, what is missing, what is there besides, and files that do not follow from each other."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from once import Once
from signed_bundle import VARIANT, finished, key_pair, signed_bundle

from edgeloop.bundle.files import manifest, sha256, sums, version_name
from edgeloop.bundle.sign import Trust
from edgeloop.bundle.verify import verify
from edgeloop.errors import BundleError, InputError
from edgeloop.store.export import export

CHANGES = [pytest.param(range(50), id="50"), pytest.param(range(50, 1000), id="1000", marks=pytest.mark.thorough)]


@pytest.fixture(scope="module")
def genuine(once: Once) -> Path:
    """A signed bundle that nobody changes."""
    return finished(once).workspace.root.parent / "bundle"


@pytest.fixture
def bundle(genuine: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(genuine, tmp_path / "a bundle")


@pytest.fixture
def team(genuine: Path) -> Trust:
    """Who signed it."""
    return Trust(key=genuine.parent / "team.pub")


@pytest.fixture(scope="module")
def another(once: Once) -> Path:
    """A bundle of another model that nobody changes."""
    return once("another signed bundle", lambda folder: signed_bundle(folder, seed=8)) / "bundle"


def sealed_again(folder: Path) -> None:
    """Bring digests and manifest up to date, as somebody would who has changed a file and has no key."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    content = {name: data for name, data in files.items() if name not in ("SHA256SUMS", "manifest.json", "model.sig")}
    content["SHA256SUMS"] = sums(content)
    (folder / "SHA256SUMS").write_bytes(content["SHA256SUMS"])
    version = version_name({name: sha256(data) for name, data in content.items()})
    (folder / "manifest.json").write_bytes(manifest(VARIANT, version, content))


def test_a_genuine_bundle_is_whole_and_its_signer_is_named(bundle: Path, team: Trust) -> None:
    found = verify(bundle, team)
    assert (found.faults, found.variant) == ([], VARIANT)
    assert found.version == json.loads((bundle / "manifest.json").read_text())["version"]
    assert found.signed == f"signed by the owner of {team.key}"
    listed = len((bundle / "SHA256SUMS").read_text().splitlines()) + 1
    assert f": {listed} files, " in found.in_words() and "and beside them manifest.json and model.sig" in found.in_words()
    assert {path.name for path in bundle.iterdir()} == {
        *(
            "README.md",
            "index.html",
            "plots",
            "croissant.json",
            ".eval_results",
            "models",
            "code",
            "records",
            "data.json",
            "sbom.cdx.json",
            "mlbom.cdx.json",
        ),
        *("provenance.jsonl", "licenses", "SHA256SUMS", "manifest.json", "model.sig"),
    }


@pytest.mark.parametrize("numbers", CHANGES)
def test_every_single_byte_that_is_changed_is_seen(numbers: range, bundle: Path, team: Trust) -> None:
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    assert verify(bundle, team).faults == []
    unseen = []
    for number in numbers:
        draw = random.Random(f"a byte {number}")
        path = files[number % len(files)]
        original = path.read_bytes()
        place, other = draw.randrange(len(original)), draw.randrange(1, 256)
        path.write_bytes(original[:place] + bytes([original[place] ^ other]) + original[place + 1 :])
        if not verify(bundle, team).faults:
            unseen.append((path.name, place, other))
        path.write_bytes(original)
    assert unseen == []
    assert verify(bundle, team).faults == []


@pytest.mark.thorough
def test_every_bit_of_the_signature_counts(bundle: Path, team: Trust) -> None:
    """The lowest and the highest bit that keeps it a text: base64 and JSON have several texts for one meaning, and one was signed."""
    path = bundle / "model.sig"
    original = path.read_bytes()
    for place in range(0, len(original), 29):
        for bit in (1, 32):
            path.write_bytes(original[:place] + bytes([original[place] ^ bit]) + original[place + 1 :])
            assert verify(bundle, team).faults, place


def test_without_a_key_digests_are_checked_and_nobodys_signature(bundle: Path) -> None:
    found = verify(bundle)
    assert found.faults == []
    assert "signed with a key, but nobody's signature was checked" in found.in_words()
    (bundle / "model.sig").unlink()
    assert verify(bundle).signed == "not signed by anybody"
    (bundle / "data.json").write_text("{}")
    assert verify(bundle).faults[0] == "data.json: was changed"


def test_each_fault_is_named(bundle: Path, team: Trust) -> None:
    (bundle / "plots" / "history.svg").unlink()
    (bundle / "notes.txt").write_text("mine")
    (bundle / ".gitignore").write_text("*")
    (bundle / "models" / "labels.txt").symlink_to("/etc/hostname")
    (bundle / "empty").mkdir()
    with (bundle / "models" / "float.tflite").open("ab") as file:
        file.write(b" ")
    found = verify(bundle, team).faults
    for fault in (
        "plots/history.svg: is missing",
        "notes.txt: is not listed in SHA256SUMS",
        ".gitignore: is not listed in SHA256SUMS",
        "models/labels.txt: is a link, and a bundle has none",
        "empty: is an empty folder, and a bundle has none",
        "models/float.tflite: was changed",
        "models/float.tflite: is not the model that the records speak of",
    ):
        assert fault in found
    assert any(fault.startswith("manifest.json: it is of the version") for fault in found)
    assert any(fault.startswith("model.sig is of other files than these: .gitignore") for fault in found)
    with pytest.raises(BundleError, match=r"notes\.txt: is not listed"):
        verify(bundle, team).require("that")


@pytest.mark.parametrize("name", ["SHA256SUMS", "manifest.json", "provenance.jsonl", "records/train.json", "model.sig"])
def test_what_is_missing_is_named(name: str, bundle: Path, team: Trust) -> None:
    (bundle / name).unlink()
    assert any(fault.startswith(f"{name}") and "missing" in fault for fault in verify(bundle, team).faults)


def test_digests_that_were_made_anew_do_not_help(bundle: Path, team: Trust) -> None:
    model = bundle / "models" / "per_channel.tflite"
    model.write_bytes(model.read_bytes() + b"a backdoor")
    (bundle / "plots" / "confusion.svg").write_text("<svg/>")
    sealed_again(bundle)
    found = verify(bundle).faults
    assert found == [
        "plots/confusion.svg: is not the file of the card",
        "models/per_channel.tflite: is not the model that the records speak of",
        "models/per_channel.tflite: is not what provenance.jsonl says was made",
        "plots/confusion.svg: is not what provenance.jsonl says was made",
        "model.sig is of other files than these: SHA256SUMS, manifest.json, models/per_channel.tflite, plots/confusion.svg.",
    ]
    assert any("model.sig is of other files" in fault for fault in verify(bundle, team).faults)


def test_a_record_of_another_model_is_seen(bundle: Path, another: Path) -> None:
    (bundle / "records" / "evaluate.json").write_bytes((another / "records" / "evaluate.json").read_bytes())
    sealed_again(bundle)
    found = verify(bundle).faults
    assert "records/evaluate.json: is not the record that the card was made from" in found
    assert any(fault.startswith("evaluate.json speaks of data that prepare.json does not know") for fault in found)


def test_a_file_that_nothing_made_is_seen(bundle: Path) -> None:
    (bundle / "code" / "more.c").write_text("int more;\n")
    sealed_again(bundle)
    assert verify(bundle).faults == [
        "code/more.c: provenance.jsonl does not say what made it",
        "model.sig is of other files than these: SHA256SUMS, code/more.c, manifest.json.",
    ]


def test_the_signature_of_somebody_else_is_none(bundle: Path, tmp_path: Path) -> None:
    key_pair(tmp_path, "stranger")
    (fault,) = verify(bundle, Trust(key=tmp_path / "stranger.pub")).faults
    assert f"model.sig is not by the owner of {tmp_path / 'stranger.pub'}: somebody else made it, or it was changed since" in fault


def test_the_signature_of_another_bundle_is_none(bundle: Path, team: Trust, another: Path) -> None:
    (bundle / "model.sig").write_bytes((another / "model.sig").read_bytes())
    assert any("model.sig is of other files" in fault for fault in verify(bundle, team).faults)


def test_what_is_no_key_is_an_error_of_who_gave_it(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "no.pub").write_text("no key")
    for key in (tmp_path / "no.pub", tmp_path / "absent.pub"):
        with pytest.raises(InputError, match="cannot be used"):
            verify(bundle, Trust(key=key))
    with pytest.raises(InputError, match="is no folder"):
        verify(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no bundle"):
        verify(tmp_path / "empty")


def test_a_signature_that_is_none_is_seen_without_a_key(bundle: Path, team: Trust) -> None:
    for content in (b"{", b"\xff\xfe", b"[]", b'{"mediaType": 1}'):
        (bundle / "model.sig").write_bytes(content)
        assert verify(bundle).faults == ["model.sig is damaged: it is no signature in the form of OpenSSF Model Signing."]
        assert verify(bundle, team).faults == verify(bundle).faults
    with pytest.raises(BundleError, match="is whole, and its signature is none of these files"):
        verify(bundle).require("that")


def test_what_is_wrong_is_said_in_our_words(bundle: Path, team: Trust) -> None:
    """Not in those of the libraries that find it."""
    (bundle / "more.txt").symlink_to("/etc/hostname")
    assert verify(bundle, team).faults == [
        "more.txt: is a link, and a bundle has none",
        "model.sig cannot be checked: it is of files, and more.txt is a link.",
    ]
    (bundle / "more.txt").unlink()
    for content, said in ((b"{}", "provenance is missing, and"), (b"\xff", "it is no JSON of that form.")):
        (bundle / "records" / "train.json").write_bytes(content)
        fault = next(one for one in verify(bundle, team).faults if one.startswith("records/train.json is not"))
        assert fault.startswith(f"records/train.json is not a TrainRecord that this edgeloop reads: {said}")


def test_a_name_makes_no_line_of_its_own(bundle: Path, team: Trust) -> None:
    """Whoever writes a file chooses its name: no line that says what was not found out."""
    lie = f"signed by the owner of {team.key}".replace("/", "_")
    (bundle / f"ok\n{lie}").write_text("")
    (bundle / "plots" / f"ok\r\u2028{lie}").symlink_to("/etc/hostname")
    found = verify(bundle, team)
    with pytest.raises(BundleError) as refused:
        found.require("that")
    for said in (found.in_words(), str(refused.value)):
        assert rf"ok\n{lie}: is not listed in SHA256SUMS" in said and rf"ok\r\u2028{lie}: is a link" in said
        assert not any(line.strip().startswith("signed by") for line in said.splitlines())
    told = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**told, "variant": f"it\n{lie}"}))
    assert not any(line.startswith("signed by") for line in verify(bundle).in_words().splitlines())


@pytest.mark.parametrize("special", [os.mkfifo, lambda path: socket.socket(socket.AF_UNIX).bind(str(path))], ids=["fifo", "socket"])
def test_what_is_no_regular_file_is_no_fault_of_the_signer(special: Callable[[Path], None], bundle: Path, team: Trust) -> None:
    special(bundle / "pipe")
    assert verify(bundle, team).faults == [
        "pipe: is no file",
        "model.sig cannot be checked: it is of files, and pipe is no regular file.",
    ]


def test_a_key_that_is_not_the_signers_leaves_the_bundle_whole(bundle: Path, tmp_path: Path) -> None:
    key_pair(tmp_path, "stranger")
    with pytest.raises(BundleError, match="is whole, and its signature is not the one that was asked for"):
        verify(bundle, Trust(key=tmp_path / "stranger.pub")).require(str(bundle))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_no_fault_of_the_bundle(bundle: Path) -> None:
    (bundle / "README.md").chmod(0)
    with pytest.raises(InputError, match=r"README\.md cannot be read"):
        verify(bundle)


def test_the_command_needs_no_project_and_nothing_heavy(genuine: Path, bundle: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from edgeloop.cli import main; code = main(sys.argv[1:])\n"
        "heavy = {'tensorflow', 'prefect', 'dvc', 'great_expectations', 'pandas'} & set(sys.modules)\n"
        "print(f'heavy: {sorted(heavy)}'); sys.exit(code)"
    )

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        argv = [sys.executable, "-c", program, "verify", *words]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    shutil.copy(genuine.parent / "team.pub", tmp_path / "team.pub")
    done = run(str(bundle / "index.html"), "--key", "team.pub")
    assert done.returncode == 0, done.stderr
    assert "signed by the owner of team.pub" in done.stdout
    assert "heavy: []" in done.stdout
    (bundle / "README.md").write_text("another one")
    done = run(str(bundle), "--key", "team.pub")
    assert done.returncode == 1
    assert "README.md: was changed" in done.stderr


def test_what_is_signed_is_exported_again_in_place_of_itself(once: Once, bundle: Path, team: Trust) -> None:
    made = finished(once)
    export(made.workspace, made.signing(key=str(team.key).replace(".pub", ".pem")), VARIANT, bundle)
    assert verify(bundle, team).faults == []
