"""The adapter to Great Expectations: declared rules become a suite, and its results outcomes. Nothing else imports it."""

import os
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from edgeloop.errors import DataError
from edgeloop.validation.rules import Check, DeclaredRule

SHOWN_ROWS: Final = 24
_SEVERITIES: Final = {"error": "critical", "warning": "warning"}


@dataclass(frozen=True)
class Outcome:
    """What Great Expectations found on one rule."""

    holds: bool
    failed_rows: int
    rows: list[int]
    """Index labels of the first failed rows, at most `SHOWN_ROWS`."""


def run_suite(name: str, rules: list[DeclaredRule], tables: dict[str, pd.DataFrame]) -> dict[str, Outcome]:
    """Validate the tables `images` and `figures` against the rules: an outcome by the rule's name.

    Row-level expectations only find rows (`mostly=0` lets them pass) unless they also decide their rule. A missing
    figure passes. Works in memory: no project folder, no network, no usage statistics.

    Raises:
        DataError: Great Expectations itself failed on a rule.
    """
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas(name)
    results: dict[tuple[str, str], Any] = {}
    for table, frame in tables.items():
        positioned = frame.reset_index(drop=True)
        batch = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("all").get_batch({"dataframe": positioned})
        suite = gx.ExpectationSuite(f"{name} {table}", expectations=_expectations(gx, rules, table))
        done = batch.validate(suite, result_format={"result_format": "SUMMARY", "partial_unexpected_count": SHOWN_ROWS})
        results |= {(result.expectation_config.meta["rule"], result.expectation_config.meta["role"]): result for result in done.results}
    return {rule.name: _outcome(rule, results, tables["images"].index) for rule in rules}


def _great_expectations() -> Any:
    """Import it with its usage statistics off."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations

    return great_expectations


def _expectations(gx: Any, rules: list[DeclaredRule], table: str) -> list[Any]:
    checks = [(rule, role, check) for rule in rules for role, check in (("decides", rule.decides), ("finds", rule.finds)) if check]
    return [_expectation(gx, rule, role, check) for rule, role, check in checks if check.table == table]


def _expectation(gx: Any, rule: DeclaredRule, role: str, check: Check) -> Any:
    kinds = {
        "between": gx.expectations.ExpectColumnValuesToBeBetween,
        "in_set": gx.expectations.ExpectColumnValuesToBeInSet,
        "distinct_equal_set": gx.expectations.ExpectColumnDistinctValuesToEqualSet,
        "distinct_count_between": gx.expectations.ExpectColumnUniqueValueCountToBeBetween,
        "row_count_between": gx.expectations.ExpectTableRowCountToBeBetween,
    }
    leniency = {"mostly": 0.0} if role == "finds" else {}
    return kinds[check.kind](
        **check.arguments, **leniency, severity=_SEVERITIES[rule.bounds.severity], meta={"rule": rule.name, "role": role}
    )


def _outcome(rule: DeclaredRule, results: dict[tuple[str, str], Any], index: "pd.Index[Any]") -> Outcome:
    decided = _sound(rule, results[rule.name, "decides"])
    if rule.finds is None:
        return Outcome(bool(decided.success), 0, [])
    found = _sound(rule, results[rule.name, "finds"]).result
    places = found.get("partial_unexpected_index_list") or []
    return Outcome(bool(decided.success), int(found.get("unexpected_count") or 0), [int(index[place]) for place in places])


def _sound(rule: DeclaredRule, result: Any) -> Any:
    """The result, unless it is an exception that was caught."""
    info = result.exception_info or {}
    failures = [info] if "raised_exception" in info else list(info.values())
    for failure in failures:
        if failure["raised_exception"]:
            raise DataError(
                f"Great Expectations failed on the rule '{rule.name}': {failure['exception_message']}", "Prepare the data set again."
            )
    return result
