"""From records to a champion: a variant of the sample in miniature is judged, promoted, challenged, rolled back, and asked for."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from card_records import Story
from ruamel.yaml import YAML

from edgeloop.cards.card import card
from edgeloop.cli import main
from edgeloop.config import load_params
from edgeloop.errors import InputError
from edgeloop.records import DecisionRecord
from edgeloop.store import promote as promotion
from edgeloop.store.ledger import read_history
from edgeloop.store.local import local_store
from edgeloop.store.publish import publish
from edgeloop.store.target import FolderTarget
from edgeloop.workspace import Workspace
from flows.tags import write_tags

VARIANT = "sample-fdmobilenet_0.25-96"
GOOD = {
    "top1_at_least": 0.8,
    "drop_at_most": 0.05,
    "ram_kib_at_most": 64,
    "flash_kib_at_most": 256,
    "latency_ms_at_most": {"host": 2},
    "agreement_at_least": 0.95,
    "unstable": "refused",
    "warnings": "refused",
}
STORY = Story(generated=True, test_per_class=60)


@dataclass(frozen=True)
class Project:
    """A project whose commands are run in its folder; they publish to `shelf`."""

    workspace: Workspace
    capsys: pytest.CaptureFixture[str]

    def build(self, story: Story, **gates: Any) -> None:
        """Records and card of a story; params.yaml has these gates."""
        yaml, path = YAML(), self.workspace.params
        params = yaml.load(path.read_text(encoding="utf-8"))
        params |= {"publish": {"to": "shelf"}, "gates": {"sample-*": gates} if gates else {}}
        yaml.dump(params, path)
        card(self.workspace, story.write(self.workspace), VARIANT)

    def run(self, *arguments: str, code: int = 0) -> str:
        self.capsys.readouterr()
        found = main(arguments)
        printed = self.capsys.readouterr()
        assert found == code, printed.out + printed.err
        return printed.out + printed.err

    @property
    def decision(self) -> DecisionRecord:
        return DecisionRecord.read(load_params(self.workspace).variant(VARIANT).paths(self.workspace).decision)

    @property
    def champions(self) -> list[str]:
        return [entry.version for entry in read_history(FolderTarget(self.workspace.root / "shelf"), VARIANT).entries]

    @property
    def pages(self) -> list[tuple[str, bool]]:
        """The champion, and whether the current version was given up, as the variant's pointer and the index say."""
        shelf = self.workspace.root / "shelf"
        (listed,) = json.loads((shelf / "index.json").read_text(encoding="utf-8"))["cards"]
        pointer = json.loads((shelf / VARIANT / "latest.json").read_text(encoding="utf-8"))
        return [(one["champion"]["version"], one["given_up"]) for one in (pointer, listed)]

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.workspace.root, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()


@pytest.fixture
def project(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    monkeypatch.chdir(workspace.root)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    return Project(workspace, capsys)


def test_a_variant_that_keeps_every_gate_becomes_champion(project: Project) -> None:
    project.build(STORY, **GOOD, champion={"margin": 0.05})
    assert "would become champion" in project.run("promote", VARIANT, "--check") and project.champions == []
    said = project.run("promote", VARIANT)
    decision = project.decision
    assert decision.passes and [check.verdict for check in decision.checks] == ["passes"] * len(decision.checks)
    assert {check.rule for check in decision.checks} == {
        *(GOOD.keys() - {"latency_ms_at_most", "unstable"}),
        *("latency_ms_at_most.host", "unstable.host", "unstable.virtual-h7", "champion"),
    }
    shelf = project.workspace.root / "shelf" / VARIANT
    manifest = json.loads((shelf / decision.version / "manifest.json").read_text(encoding="utf-8"))
    for check in decision.checks:  # each names the record that it was read from, as it is published
        if check.record:
            assert manifest["files"][check.record]["sha256"] == check.record_sha256
    values = {check.rule: check.value for check in decision.checks}
    assert values["ram_kib_at_most"] == pytest.approx(50_552 / 1024)
    assert values["flash_kib_at_most"] == pytest.approx((131_400 + 21_860) / 1024)
    assert values["latency_ms_at_most.host"] == 0.612
    assert values["agreement_at_least"] == pytest.approx(63 / 64)
    assert f"champion of {VARIANT}: {decision.version}" in said
    assert project.champions == [decision.version]
    assert "is champion of" in project.run("promote", VARIANT)
    assert project.champions == [decision.version]  # nothing twice
    project.build(STORY, top1_at_least=0.999)
    said = project.run("promote", VARIANT, "--check", code=1)
    assert "top1_at_least" in said and "The champion stays as it is." in said  # judged, though it is champion


def test_what_a_gate_refuses_is_not_published_and_says_why(project: Project) -> None:
    project.build(STORY, top1_at_least=0.99)
    said = project.run("promote", VARIANT, code=1)
    (against,) = project.decision.against
    assert against.verdict == "fails" and f"top1_at_least: {against.said}" in said
    assert "No version is champion yet." in said and "champion stays" not in said
    assert not (project.workspace.root / "shelf" / VARIANT).exists()
    assert project.run("promote", VARIANT, "--pass-over")  # which a scheduled run asks for
    assert project.run("promote", VARIANT, "--check", code=1)


@pytest.mark.thorough
def test_a_challenger_is_judged_on_the_images_of_the_champion(project: Project) -> None:
    gates = GOOD | {"champion": {"margin": 0.1}}
    project.build(STORY, **gates)
    project.run("promote", VARIANT)
    project.build(replace(STORY, seed=6, accuracy=0.5), **gates | {"top1_at_least": 0.1, "drop_at_most": 0.5})
    said = project.run("promote", VARIANT, code=1)
    found = project.decision.challenge
    assert found is not None and found.n == 300 and found.p_worse < 1e-6
    assert "shown to be worse" in said and found.champion == project.champions[0]
    # An equal one on 300 images: no loss is shown, and 2 points are not excluded; 10 are.
    project.build(replace(STORY, seed=7), **gates | {"champion": {"margin": 0.02}})
    said = project.run("promote", VARIANT, code=1)
    assert "a loss of 2 points is not excluded either" in said and "images are too few" in said
    project.build(replace(STORY, seed=7), **gates)
    assert "a loss of 10 points or more is excluded" in project.run("promote", VARIANT)
    project.build(replace(STORY, seed=9), **gates | {"champion": {"rule": "better"}})
    assert "not shown to be better" in project.run("promote", VARIANT, code=1)
    assert len(project.champions) == 2


def test_a_person_overrides_by_name_and_reason(project: Project) -> None:
    project.build(STORY, top1_at_least=0.999)
    assert "Nobody knows who you are" in project.run("promote", VARIANT, "--override", "the customer waits", code=1)
    project.run("promote", VARIANT, "--override", "the customer waits", "--by", "Ada")
    (said,) = project.run("history", VARIANT).splitlines()
    assert "promote by Ada: the customer waits" in said and "until now" in said
    assert project.decision.override and not project.decision.passes
    assert project.run("champion", VARIANT).split()[2] == project.champions[0]
    assert "had no champion at 2020-01-01" in project.run("champion", VARIANT, "--at", "2020-01-01", code=1)
    assert "There is one since 20" in project.run("champion", VARIANT, "--at", "2020-01-01", code=1)
    assert project.champions[0] in project.run("champion", VARIANT, "--at", "2200-01-01")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("promote", VARIANT, "--override", "x\n  9 2027-01-01 promote by Boss", "--by", "Ada"), r"argument --override: 'x\n  9 2027"),
        (("promote", VARIANT, "--override", "x", "--by", "Ada\u2028Boss"), r"argument --by: 'Ada\u2028Boss' has line ends or control"),
        (("rollback", VARIANT, "--reason", "x\x1b[2J", "--by", "Ada"), r"argument --reason: 'x\x1b[2J' has line ends or control"),
        (("promote", VARIANT, "--override", "x", "--by", ""), "argument --by: a name is not empty"),
        (("promote", VARIANT, "--override", " "), "argument --override: a reason is not empty"),
    ],
)
def test_a_reason_and_a_name_are_one_line(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err


def test_the_name_that_git_has_is_one_line(workspace: Workspace) -> None:
    with pytest.raises(InputError, match=r"'Ada\\nBoss' has line ends"):
        promotion.who(workspace, "Ada\nBoss")


def test_what_was_rolled_back_does_not_come_back_by_itself(project: Project) -> None:
    project.build(STORY, top1_at_least=0.5)
    project.run("promote", VARIANT)
    assert "nothing to go back to" in project.run("rollback", VARIANT, "--reason", "x", "--by", "Ada", code=1)
    project.build(replace(STORY, seed=6), top1_at_least=0.5)
    project.run("promote", VARIANT)
    first, second = project.champions
    assert project.pages == [(second, False)] * 2
    assert f"{first} again" in project.run("rollback", VARIANT, "--reason", "blurred pictures", "--by", "Ada")
    assert project.pages == [(first, True)] * 2
    said = project.run("promote", VARIANT, code=1)
    assert "rolled_back: this model was champion and was rolled back" in said
    project.run("promote", VARIANT, "--override", "the pictures were at fault", "--by", "Ada")
    assert project.champions == [first, second, first, second]


@pytest.mark.thorough
def test_without_gates_only_a_person_promotes(project: Project) -> None:
    project.build(STORY)
    assert "declares no gates for it" in project.run("promote", VARIANT, code=1)
    project.run("promote", VARIANT, "--override", "by hand", "--by", "Ada")
    assert len(project.champions) == 1


def test_the_gates_are_told_once_and_a_champion_is_not_overridden(project: Project) -> None:
    project.build(STORY, top1_at_least=0.99)
    told = project.run("promote", VARIANT, code=1)
    assert told.count("top1_at_least") == 1 and "1 of 1 gates refuse it, as told above" in told
    project.run("promote", VARIANT, "--override", "a person decided", "--by", "Ada")
    told = project.run("promote", VARIANT, "--override", "and again", "--by", "Ada")
    assert f"is champion of {VARIANT} already: nothing was changed" in told and "overridden" not in told
    assert len(project.champions) == 1 and project.decision.override is None


def test_wrong_use_is_explained(project: Project) -> None:
    project.build(STORY, top1_at_least=0.5)
    told = project.run("reproduce", "sample-fdmobilenet_0.25-97", code=1)
    assert f"nor a variant of params.yaml (did you mean '{VARIANT}'?)" in told and "or a VARIANT as it" in told
    assert "--by says who overrides" in project.run("promote", VARIANT, "--by", "Ada", code=1)
    assert "had no champion" in project.run("champion", VARIANT, code=1)
    assert "no variant 'rose'" in project.run("history", "rose", code=1)
    assert "there was no champion yet" in project.run("history", VARIANT)
    predictions = load_params(project.workspace).variant(VARIANT).paths(project.workspace).predictions
    predictions.write_bytes(predictions.read_bytes()[:-9])
    assert "cannot be read" in project.run("promote", VARIANT, code=1)


@pytest.mark.thorough
def test_answers_of_another_evaluation_are_refused(project: Project) -> None:
    project.build(STORY, top1_at_least=0.5)
    predictions = load_params(project.workspace).variant(VARIANT).paths(project.workspace).predictions
    here = predictions.read_bytes()
    project.build(replace(STORY, seed=6, accuracy=0.7), top1_at_least=0.5)
    predictions.write_bytes(here)
    assert "does not hold the answers" in project.run("promote", VARIANT, code=1)


def champion_by_gto(repository: Path, name: str) -> str:
    """By DVC's own registry, sorted as `gto show` does; a process of its own, because GTO replaces the output of the one it is in."""
    code = (
        "import sys; from gto.constants import VersionSort; from gto.registry import GitRegistry\n"
        "with GitRegistry.from_url(sys.argv[1]) as registry:\n"
        "    stages = registry.find_artifact(sys.argv[2]).get_vstages(sort=VersionSort.Timestamp)\n"
        "    sys.stdout.write(stages['champion'][0].version)\n"
    )
    asked = [sys.executable, "-c", code, str(repository), name]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.thorough
def test_git_tags_say_what_the_history_says_and_gto_reads_them(project: Project) -> None:
    for arguments in (["init", "-q"], ["config", "user.name", "Ada"], ["config", "user.email", "ada@localhost"]):
        project.git(*arguments)
    commits = []
    for seed in (5, 6):
        project.build(replace(STORY, seed=seed), top1_at_least=0.5)
        (project.workspace.root / "dvc.lock").write_text(f"seed: {seed}\n", encoding="utf-8")
        project.git("add", "dvc.lock", "params.yaml")
        project.git("commit", "-qm", f"seed {seed}")
        commits.append(project.git("rev-parse", "HEAD"))
        said = project.run("promote", VARIANT, "--tag")
    name = "sample-fdmobilenet_0_25-96"
    assert f"tagged {name}@v2.0.0, {name}#champion#2" in said
    assert "by Ada: slow" in project.run("rollback", VARIANT, "--reason", "slow", "--tag") + project.run("history", VARIANT)
    tags = {tag: project.git("rev-list", "-n1", tag) for tag in project.git("tag").splitlines()}
    assert tags == {
        f"{name}@v1.0.0": commits[0],
        f"{name}@v2.0.0": commits[1],
        f"{name}#champion#1": commits[0],
        f"{name}#champion#2": commits[1],
        f"{name}#champion#3": commits[0],
    }
    assert "git has these tags already" in project.run("history", VARIANT, "--tag")
    assert champion_by_gto(project.workspace.root, name) == "v1.0.0"
    project.git("tag", "--force", "--annotate", "--message", "x", f"{name}#champion#3", commits[1])
    assert "the history says" in project.run("history", VARIANT, "--tag", code=1)


@pytest.mark.long
def test_the_same_on_a_real_s3_server(project: Project) -> None:
    store = local_store(project.workspace)
    try:
        store.up()
        place = ("--to", "s3://edgeloop/champions")
        yaml, path = YAML(), project.workspace.params
        project.build(STORY, top1_at_least=0.5, champion={"margin": 0.1})
        params = yaml.load(path.read_text(encoding="utf-8"))
        yaml.dump(params | {"publish": {"endpoint": "local"}}, path)
        project.run("promote", VARIANT, *place)
        first = project.decision.version
        card(project.workspace, replace(STORY, seed=7).write(project.workspace), VARIANT)
        assert "a loss of 10 points or more is excluded" in project.run("promote", VARIANT, *place)
        assert f"{first} again" in project.run("rollback", VARIANT, "--reason", "slow", "--by", "Ada", *place)
        assert len(project.run("history", VARIANT, *place).splitlines()) == 3
        assert first in project.run("champion", VARIANT, *place)
    finally:
        store.down()


@pytest.mark.thorough
def test_whoever_promotes_while_somebody_else_does_is_judged_against_the_new_champion(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = {"champion": {"margin": 0.1}}
    project.build(STORY, **gates)
    project.run("promote", VARIANT)
    other = replace(project, workspace=Workspace(tmp_path / "another clone"))
    other.workspace.root.mkdir()
    (other.workspace.root / "params.yaml").write_bytes(project.workspace.params.read_bytes())
    other.build(replace(STORY, seed=6, accuracy=1.01), **gates)
    project.build(replace(STORY, seed=7), **gates)

    def meanwhile(*arguments: Any, **keywords: Any) -> list[str]:
        """After the first verdict, and before the entry is written."""
        monkeypatch.setattr(promotion, "publish", publish)
        done = promotion.promote(other.workspace, load_params(other.workspace), VARIANT, to=str(project.workspace.root / "shelf"))
        assert done.is_champion
        return publish(*arguments, **keywords)

    monkeypatch.setattr(promotion, "publish", meanwhile)
    assert "shown to be worse" in project.run("promote", VARIANT, code=1)
    assert len(project.champions) == 2 and project.decision.champion == project.champions[1]


@pytest.mark.thorough
def test_the_watch_asks_what_the_champion_was_promoted_with(project: Project) -> None:
    project.build(STORY, top1_at_least=0.5)
    name = f"{VARIANT}-virtual-h7"
    assert f"{name}: there is no accepted record yet" in project.run("watch", name)
    project.run("promote", VARIANT)
    assert "nothing got slower" in project.run("watch", name)
    path = load_params(project.workspace).variant(VARIANT).paths(project.workspace).benchmark_record("virtual-h7")
    path.write_text(path.read_text(encoding="utf-8").replace('"median": 6354644', '"median": 7000000'), encoding="utf-8")
    said = project.run("watch", name, code=1)
    assert f"{name}: instructions 6,354,644 -> 7,000,000 counted (+10.2%), beside the champion {project.champions[0]}" in said


@pytest.mark.thorough
def test_what_was_never_committed_has_no_tag(project: Project) -> None:
    project.build(STORY, top1_at_least=0.5)
    project.run("promote", VARIANT)
    assert "is not a git repository" in project.run("history", VARIANT, "--tag", code=1)
    for arguments in (["init", "-q"], ["config", "user.name", "Ada"], ["config", "user.email", "ada@localhost"]):
        project.git(*arguments)
    project.git("add", "params.yaml")
    project.git("commit", "-qm", "first")
    history = read_history(FolderTarget(Path("shelf")), VARIANT)
    assert write_tags(project.workspace, history)[1] == "without a tag, because dvc.lock was not committed: entry 1"
