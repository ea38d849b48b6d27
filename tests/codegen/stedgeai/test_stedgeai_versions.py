"""Version lines of all names that the product had, its components, and the range that is driven."""

import pytest

from edgeloop.codegen.stedgeai.versions import check_driven, find_components, find_version
from edgeloop.errors import StedgeaiMissing

ANSWER = """ST Edge AI Core v4.0.1-20581 7ed50de05
   ISPU 2.0.1-RC2
   MLC 1.2.4-RC2
   STM32CubeAI 12.0.1-RC2
"""


@pytest.mark.parametrize(
    ("line", "shown", "legacy"),
    [
        ("Neural Network Tools for STM32 v1.2.0 (AI tools v5.0.0)", "5.0.0", True),
        ("Neural Network Tools for STM32AI v1.6.0 (STM.ai v7.3.0-RC5)", "7.3.0-RC5", True),
        ("Neural Network Tools for STM32 family v1.7.0 (stm.ai v8.1.0-19520)", "8.1.0-19520", True),
        ("ST Edge AI Core v1.0.0-A1", "1.0.0-A1", False),
        ("ST Edge AI Core v2.2.0-20266 2adc00962", "2.2.0-20266", False),
        ("some noise\nST Edge AI Core v4.0.1-20581 7ed50de05", "4.0.1-20581", False),
        ("2026-06-16 21:30:05,481 [INFO] CmdLine:76 - ST Edge AI Core v3.0.0", "3.0.0", False),
    ],
)
def test_every_name_of_the_product_is_known(line: str, shown: str, legacy: bool) -> None:
    version = find_version(line)
    assert version is not None
    assert (str(version), version.legacy) == (shown, legacy)


@pytest.mark.parametrize("text", ["", "gcc 12.2.0", "ST Edge AI Core", "Neural Network Tools for STM32 v1.2.0"])
def test_another_program_has_no_version(text: str) -> None:
    assert find_version(text) is None


def test_components_are_the_indented_lines() -> None:
    assert find_components(ANSWER) == {"ISPU": "2.0.1-RC2", "MLC": "1.2.4-RC2", "STM32CubeAI": "12.0.1-RC2"}
    assert find_components("no version line\n   STM32CubeAI 12.0.1") == {}


def test_a_version_number_does_not_run_in_one_line() -> None:
    """stm32ai 8 is older than Core 1.0, whatever the numbers say."""
    version = find_version("Neural Network Tools for STM32AI v1.7.0 (STM.ai v8.0.0-19389)")
    assert version is not None
    with pytest.raises(StedgeaiMissing, match=r"stm32ai 8\.0\.0-19389"):
        check_driven(version, "/opt/stm32ai", npu=False)


def test_the_npu_needs_a_later_version_than_a_processor() -> None:
    version = find_version("ST Edge AI Core v1.0.0-19894")
    assert version is not None
    assert check_driven(version, "stedgeai", npu=False) == []
    with pytest.raises(StedgeaiMissing, match=r"NPU .* 2\.0 or later"):
        check_driven(version, "stedgeai", npu=True)


def test_a_version_that_nobody_tested_is_a_warning() -> None:
    version = find_version("ST Edge AI Core v5.1.0-30000 abcdef012")
    assert version is not None
    (warning,) = check_driven(version, "stedgeai", npu=True)
    assert "5.1.0-30000 was not tested" in warning
