"""Cron lines and time zones of params.yaml are checked when the file is read, by the rules of the one who runs them."""

import pytest
from prefect.client.schemas.schedules import CronSchedule
from pydantic import ValidationError

from edgeloop.config import load_params
from edgeloop.errors import ConfigError
from edgeloop.times import cron_fault
from edgeloop.workspace import Workspace

GOOD = (
    "0 2 * * *",
    "*/15 * * * *",
    "0 2 * * mon-fri",
    "0 2 * * 7",
    "0 2 L * *",
    "0 2 * * 1#2",
    "0 0 1 jan *",
    "0,30 8-18 * * 1-5",
    "5/7 * * * *",
)
BAD = (
    "every night",
    "@daily",
    "0 25 * * *",
    "60 * * * *",
    "0 2 * * sunday",
    "*/0 * * * *",
    "R * * * *",
    "0 0 2 * * *",
    "0 2 LW * *",
    "0 2 * * 5L",
)
NEVER = ("0 2 30 2 *", "0 2 31 4 *")
"""Prefect takes them, and they never come due."""


def taken_by_prefect(line: str) -> bool:
    try:
        CronSchedule(cron=line, timezone="UTC")
    except ValidationError:
        return False
    return True


def refusal(workspace: Workspace, old: str, new: str) -> tuple[str, int]:
    text = workspace.params.read_text(encoding="utf-8")
    workspace.params.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_params(workspace)
    return str(refused.value), text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize("line", [*BAD, *NEVER])
def test_what_never_comes_due_is_refused_with_its_line(workspace: Workspace, line: str) -> None:
    said, number = refusal(workspace, 'retrain: "off"', f'retrain: "{line}"')
    assert f"params.yaml:{number}: schedules.retrain: '{line}' is neither a cron line of five fields" in said


@pytest.mark.parametrize("line", GOOD)
def test_whatever_we_take_prefect_takes(line: str) -> None:
    assert cron_fault(line) is None
    assert taken_by_prefect(line)


@pytest.mark.parametrize("name", ["Europe/Berln", "europe/berlin", "CEST+2", "", "../../etc/passwd"])
def test_a_time_zone_that_is_none_is_refused_with_the_near_match(workspace: Workspace, name: str) -> None:
    said, number = refusal(workspace, "timezone: UTC", f'timezone: "{name}"')
    assert f"params.yaml:{number}: schedules.timezone: '{name}' is no time zone" in said
    assert "erlin" not in name.lower() or "did you mean 'Europe/Berlin'" in said


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_a_time_zone_is_taken(workspace: Workspace, name: str) -> None:
    workspace.params.write_text(
        workspace.params.read_text(encoding="utf-8").replace("timezone: UTC", f"timezone: {name}"), encoding="utf-8"
    )
    assert load_params(workspace).schedules.timezone == name
    assert CronSchedule(cron="0 2 * * *", timezone=name)
