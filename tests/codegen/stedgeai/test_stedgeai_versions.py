"""Version lines of all names that the product had, and its components."""

import pytest

from edgeloop.codegen.stedgeai.versions import find_components, find_version

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
