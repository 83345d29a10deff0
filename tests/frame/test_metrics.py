"""Metrics: what is counted, that labels stay few, and that several processes add up."""

import subprocess
import sys
from pathlib import Path

import pytest

from fairway.frame import metrics as module
from fairway.frame.metrics import Metrics, MetricsMisused, metrics, render


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    own = Metrics()
    monkeypatch.setattr(module, "metrics", lambda: own)
    return own


def shown() -> list[str]:
    body, content_type = render()
    assert content_type.startswith("text/plain; version=")
    return [line for line in body.decode().splitlines() if not line.startswith("#")]


def test_requests_are_counted_by_method_operation_and_kind_of_answer(fresh: Metrics) -> None:
    fresh.know_operations(["GetManifest"])
    for status in (200, 206, 404):
        fresh.request_started()
        fresh.request_finished("GET", "GetManifest", status, 0.002)
    lines = shown()
    assert 'fairway_http_requests_total{method="GET",operation="GetManifest",status="2xx"} 2.0' in lines
    assert 'fairway_http_requests_total{method="GET",operation="GetManifest",status="4xx"} 1.0' in lines
    assert 'fairway_http_request_duration_seconds_count{method="GET",operation="GetManifest"} 3.0' in lines
    assert "fairway_http_requests_in_flight 0.0" in lines


def test_blob_bytes_and_unexpected_errors_are_counted(fresh: Metrics) -> None:
    fresh.know_operations(["PutUpload"])
    fresh.blob_received(10)
    fresh.blob_sent(5)
    fresh.blob_sent(2)
    fresh.unexpected_error("PutUpload")
    lines = shown()
    assert 'fairway_blob_bytes_total{direction="in"} 10.0' in lines
    assert 'fairway_blob_bytes_total{direction="out"} 7.0' in lines
    assert 'fairway_errors_total{operation="PutUpload"} 1.0' in lines


def test_nothing_a_client_chooses_becomes_a_label(fresh: Metrics) -> None:
    for n in range(100):
        fresh.request_started()
        fresh.request_finished(f"BREW{n}", f"library/app{n}", 200 + n % 3, 0.1)
        fresh.unexpected_error(f"library/app{n}")
    lines = shown()
    assert 'fairway_http_requests_total{method="other",operation="other",status="2xx"} 100.0' in lines
    assert not [line for line in lines if "app" in line or "BREW" in line]


def test_an_answer_that_was_never_sent_counts_as_none(fresh: Metrics) -> None:
    fresh.request_started()
    fresh.request_finished("GET", "x", 0, 0.1)
    assert 'fairway_http_requests_total{method="GET",operation="other",status="none"} 1.0' in shown()


async def test_what_requests_count_is_gathered_before_it_is_shown(fresh: Metrics) -> None:
    fresh.know_operations(["GetBlob"])
    for _ in range(3):
        fresh.request_started()
        fresh.request_finished("GET", "GetBlob", 200, 0.005)
        fresh.blob_sent(100)
    assert 'fairway_blob_bytes_total{direction="out"} 0.0' in shown()
    fresh.publish()
    fresh.publish()
    lines = shown()
    assert 'fairway_http_requests_total{method="GET",operation="GetBlob",status="2xx"} 3.0' in lines
    assert (
        'fairway_http_request_duration_seconds_bucket{le="0.001",method="GET",operation="GetBlob"} 0.0'
        in lines
    )
    assert (
        'fairway_http_request_duration_seconds_bucket{le="0.005",method="GET",operation="GetBlob"} 3.0'
        in lines
    )
    assert 'fairway_http_request_duration_seconds_sum{method="GET",operation="GetBlob"} 0.015' in lines
    assert 'fairway_blob_bytes_total{direction="out"} 300.0' in lines


def test_a_process_has_one_set_of_metrics() -> None:
    assert metrics() is metrics()


def test_sharing_cannot_begin_after_something_was_counted(tmp_path: Path) -> None:
    metrics()
    with pytest.raises(MetricsMisused):
        module.prepare_multiprocess(tmp_path)


SUPERVISOR = """
import subprocess, sys
from pathlib import Path
from fairway.frame import metrics

metrics.prepare_multiprocess(Path(sys.argv[1]))
worker = '''
import os
from fairway.frame.metrics import metrics
metrics().know_operations(["GetBlob"])
metrics().blob_sent(7)
metrics().request_started()
metrics().request_finished("GET", "GetBlob", 200, 0.1)
metrics().request_started()
print(os.getpid(), flush=True)
os._exit(1)
'''
started = [subprocess.run([sys.executable, "-c", worker], capture_output=True, text=True) for _ in range(3)]
metrics.metrics().blob_sent(1)
metrics.forget_process(int(started[0].stdout))
print(metrics.render()[0].decode())
"""


def test_processes_that_share_a_folder_add_up_even_those_that_have_died(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "metrics"
    folder.mkdir(parents=True)
    (folder / "counter_1.db").write_bytes(b"left over from a power cut")
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISOR, str(folder)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert 'fairway_blob_bytes_total{direction="out"} 22.0' in lines
    assert 'fairway_http_requests_total{method="GET",operation="GetBlob",status="2xx"} 3.0' in lines
    assert "fairway_http_requests_in_flight 2.0" in lines  # three died in a request, one of them was reported
