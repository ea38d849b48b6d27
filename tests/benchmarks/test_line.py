"""What docs/firmware.md says of the time that a picture takes is what benchmarks/line.py computes."""

import importlib
from pathlib import Path

import pytest

from edgeloop.boards.stm32msg.exchange import V31
from edgeloop.boards.stm32msg.framing import CheckedFraming

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
PICTURE = 224 * 224 * 3


def test_a_picture_of_224_pixels_takes_three_seconds_at_most_from_921600_baud_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    upload_s = importlib.import_module("line").upload_s
    packets = CheckedFraming(packet_size=1024)
    # By hand: 148 packets of 6 bytes more than what is in them, 147 bytes that ask, the message's 15 bytes of header; ten bits each.
    assert upload_s(packets, 921_600, PICTURE, 0.0) == pytest.approx((PICTURE + 148 * 6 + 147 + 15) * 10 / 921_600, abs=1e-9)
    assert upload_s(packets, 921_600, PICTURE, 0.002) < 3 < upload_s(packets, 460_800, PICTURE, 0.0)
    assert upload_s(V31.framing, 115_200, PICTURE, 0.001) == pytest.approx(18.6, abs=0.05)
