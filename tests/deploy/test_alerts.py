"""The alert rules are right, and speak of nothing that is not measured."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fairway.features.gc import measures as gc
from fairway.frame.jobs.measures import measures
from fairway.frame.metrics import metrics

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing (Debian: prometheus)")
@pytest.mark.parametrize("asked", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]])
def test_promtool_agrees(asked: list[str]) -> None:
    done = subprocess.run(["promtool", *asked], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_series_in_a_rule_is_measured() -> None:
    measures()
    gc.measures()
    measured = {
        name
        for family in metrics().registry.collect()
        for name in (family.name, f"{family.name}_total", f"{family.name}_bucket")
    }
    named = set(re.findall(r"\b((?:harbor|fairway)_[a-z_]+)\b", (FOLDER / "alerts.yml").read_text()))
    assert named
    assert named <= measured
