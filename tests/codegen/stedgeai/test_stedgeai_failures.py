"""The tool's messages, in every form that was seen, become typed errors with its own words."""

import pytest

from edgeloop.codegen.stedgeai.failures import find_failures, is_disk_full, typed
from edgeloop.errors import StedgeaiBoardError, StedgeaiDoesNotFit, StedgeaiFailure, StedgeaiModelRefused

NOISE = "ST Edge AI Core v4.0.1-20581 7ed50de05\n\nPASS:   0%|          | 0/171 [00:00<?, ?it/s]\r\n      \n"


@pytest.mark.parametrize(
    ("text", "kind", "error"),
    [
        ("E010(InvalidModelError): a parameter is odd", "E010(InvalidModelError)", StedgeaiModelRefused),
        ("   E103(CliRuntimeError): Error calling the Neural Art compiler", "E103(CliRuntimeError)", StedgeaiFailure),
        ("E700(UnfeasibleAllocation): Not enough memory on device", "E700(UnfeasibleAllocation)", StedgeaiDoesNotFit),
        ("NOT IMPLEMENTED: Unkonwn layer format for layer Input_72", "NOT IMPLEMENTED", StedgeaiModelRefused),
        ("INTERNAL ERROR: Your model ir_version 10 is higher than the checker's (9).", "INTERNAL ERROR", StedgeaiModelRefused),
        ("TOOL ERROR: list index out of range", "TOOL ERROR", StedgeaiFailure),
        ("LOAD ERROR: STM32 - read timeout 50094.0ms/50000ms", "LOAD ERROR", StedgeaiBoardError),
        ("error              : LOAD ERROR: STM32 - no connected board(s)", "LOAD ERROR", StedgeaiBoardError),
        ("2026-06-16 21:30:29,930 [INFO] CmdLine:76 - TOOL ERROR: odd", "TOOL ERROR", StedgeaiFailure),
    ],
)
def test_each_form_is_known(text: str, kind: str, error: type[StedgeaiFailure]) -> None:
    (failure,) = find_failures(NOISE + text + "\n")
    raised = typed(failure, "tiny.tflite", "/tmp/run.log")
    assert type(raised) is error
    assert (raised.kind, failure.kind) == (kind, kind)
    assert failure.words in str(raised)
    assert "tiny.tflite" in str(raised)
    assert "/tmp/run.log" in raised.remedy


def test_lines_that_belong_to_a_message_are_kept() -> None:
    text = (
        "E700(UnfeasibleAllocation): Pass failed. Not enough memory\nMinimal sizes needed are: {'unlimited memory': 6405160}\n\nnext run\n"
    )
    (failure,) = find_failures(NOISE + text)
    assert failure.words == "Pass failed. Not enough memory\nMinimal sizes needed are: {'unlimited memory': 6405160}"
    assert failure.needed_bytes == 6_405_160
    assert "6405160 bytes (6255 KiB) are needed" in typed(failure, "tiny.tflite").remedy


def test_the_compilers_lines_before_a_message_tell_what_does_not_fit() -> None:
    text = "      total bytes left unallocated=3211264\n      <<<\n\n   E103(CliRuntimeError): Error calling the Neural Art compiler\n"
    (failure,) = find_failures(text)
    raised = typed(failure, "tiny.tflite")
    assert isinstance(raised, StedgeaiDoesNotFit)
    assert "3211264 bytes (3136 KiB) are left over" in raised.remedy


def test_an_earlier_runs_lines_are_not_those_of_a_later_message() -> None:
    text = "total bytes left unallocated=5\nE103(CliRuntimeError): one\n\nE103(CliRuntimeError): two\n"
    first, second = find_failures(text)
    assert (first.needed_bytes, second.needed_bytes) == (5, None)


def test_a_message_that_is_repeated_is_one() -> None:
    text = "error : LOAD ERROR: STM32 - no connected board(s)\n\nLOAD ERROR: STM32 - no connected board(s)\n"
    assert len(find_failures(text)) == 1


@pytest.mark.parametrize(
    "text", ["WARNING: x is not quantized", "cubemx: error: Error: Command failed", ">>> Shell execution has FAILED", ""]
)
def test_warnings_and_others_errors_are_none(text: str) -> None:
    assert find_failures(text) == []


def test_a_full_disk_is_known_by_its_words() -> None:
    assert is_disk_full("OSError: [Errno 28] No space left on device: 'network.c'")
    assert not is_disk_full("Not enough memory on device")
