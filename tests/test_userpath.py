"""`~` is the home folder wherever a path may stand: in params.yaml, in lab.yaml and in arguments."""

import sys
from pathlib import Path

import pytest

from edgeloop.boards.lab.command import Command, run_commands
from edgeloop.boards.lab.config import Find, Ssh
from edgeloop.cli import main
from edgeloop.codegen.stedgeai.profiles import check_profile
from edgeloop.config import Generate, Params, Row, Source, load_params
from edgeloop.datasets.fetch import fetch
from edgeloop.errors import ConfigError, InputError
from edgeloop.ingest.incoming import incoming
from edgeloop.store.publish import publish
from edgeloop.training.start import Backbone, fetch_backbone
from edgeloop.userpath import user_path
from edgeloop.workspace import Workspace


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a folder of two classes."""
    home = tmp_path / "home of mine"
    for label in ("cat", "dog"):
        (home / "photos" / label).mkdir(parents=True)
        (home / "photos" / label / "1.jpg").write_bytes(b"a picture")
    monkeypatch.setenv("HOME", str(home))
    return home


def with_source(workspace: Workspace, **source: str) -> Params:
    params = load_params(workspace)
    declared = params.datasets["sample"].model_copy(update={"source": Source.model_validate(source)})
    return params.model_copy(update={"datasets": params.datasets | {"sample": declared}})


def test_the_source_of_a_data_set(workspace: Workspace, home: Path) -> None:
    first = fetch(workspace, with_source(workspace, folder="~/photos"), "sample")
    assert (first.origin, first.note) == ("photos", "packed from a folder")
    workspace.dataset("sample").archive.rename(home / "photos.tar")
    assert fetch(workspace, with_source(workspace, address="~/photos.tar"), "sample").sha256 == first.sha256
    assert fetch(workspace, load_params(workspace), "sample", given="~/photos.tar").sha256 == first.sha256


def test_a_source_of_new_images_and_a_place_to_publish(workspace: Workspace, home: Path) -> None:
    with incoming(workspace, load_params(workspace), "~/photos") as source:
        assert [arrival.path for arrival in source.arrivals()] == ["cat/1.jpg", "dog/1.jpg"]
    assert publish(workspace, load_params(workspace), [], to="~/shelf") == [str(home / "shelf/index.html")]


def test_tools_keys_and_backbones(workspace: Workspace, home: Path) -> None:
    (home / "ours.json").write_text('{"Profiles": {"default": {"options": "", "memory_pool": ""}}}')
    assert Generate.model_validate({"backend": "stedgeai", "tool": "~/ST"}).tool == home / "ST"
    ssh = Find.model_validate({"ssh": {"host": "board", "key": "~/.ssh/lab", "known_hosts": "~/hosts"}}).ssh
    assert ssh == Ssh(host="board", key=home / ".ssh/lab", known_hosts=home / "hosts")
    assert Ssh(host="board").known_hosts == home / ".ssh/known_hosts"
    backbone = Backbone.model_validate({"kind": "keras", "path": "~/photos/cat/1.jpg", "sha256": _digest(b"a picture")})
    assert fetch_backbone(workspace, backbone) == home / "photos/cat/1.jpg"
    with pytest.raises(InputError, match=f"no profile file {home}/absent.json"):
        check_profile("default@~/absent.json", Path.cwd())


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_the_commands_of_a_lab_file(home: Path, tmp_path: Path) -> None:
    (home / "flash").symlink_to(sys.executable)
    shows = "import os, sys; print(os.getcwd(), *sys.argv[1:])"
    command = Command(run=["~/flash", "-c", shows, "~/firmware.elf", "a~/b"], folder="~/photos")
    run_commands([command], {}, tmp_path / "log")
    assert f"{home}/photos {home}/firmware.elf a~/b" in (tmp_path / "log").read_text()


def test_arguments(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "~/absent.tflite", "--images=~/photos"]) == 1
    assert f"{home}/absent.tflite is not a file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["evaluate", "any.tflite", "--images=~nobody-of-that-name/photos"])
    assert "~nobody-of-that-name/photos names a home folder that does not exist" in capsys.readouterr().err


def test_a_start_is_written_out_since_dvc_reads_it_too(home: Path) -> None:
    with pytest.raises(ValueError, match=f"DVC reads this path, too, and does not know ~: write it out, {home}/w.keras"):
        Row.model_validate({"start": "~/w.keras"})


def test_a_home_folder_that_does_not_exist_is_said_with_its_line(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="home folder that does not exist"):
        user_path("~nobody-of-that-name/x")
    text = workspace.params.read_text().replace("drawn: {per_class: 120, size: 160, seed: 127}", "folder: ~nobody-of-that-name/x", 1)
    workspace.params.write_text(text)
    with pytest.raises(ConfigError, match=r"params\.yaml:\d+: datasets\.sample\.source\.folder: ~nobody-of-that-name/x names"):
        load_params(workspace)
