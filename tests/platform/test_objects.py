"""A bucket of moto's server behind a proxy that fails: what is tried again, how long is waited, when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tdml_assets.platform.objects import RETRIES, Bucket
from tdml_assets.platform.remote_errors import StoreError
from tdml_assets.platform.retrying import Clock, TransientError
from tdml_assets.platform.s3 import S3
from tests.activation.fault_proxy import FaultProxy
from tests.boto_data import read_boto_data_once

read_boto_data_once()
DENIED = b"<Error><Code>AccessDenied</Code><Message>canary</Message></Error>"


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    running = FaultProxy(server.get_host_and_port()[1], writes=("GET", "PUT", "POST"))
    running.start()
    yield running
    running.stop()
    server.stop()


class Faulty:
    """A bucket, what the proxy is told, and the pauses of the one who asks."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.script, self.waited = proxy.script, []
        self.script.clear()
        client = S3(
            endpoint_url=proxy.url, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
        ).get_client()
        client.create_bucket(Bucket="lake")
        clock = Clock(sleep=self.waited.append, jitter=lambda: 1.0)
        self.bucket = Bucket(client, "lake", setting="models_url", rights="s3:GetObject", clock=clock)


@pytest.fixture
def faulty(proxy: FaultProxy) -> Faulty:
    return Faulty(proxy)


def test_a_file_is_read_through_errors_a_reset_and_a_body_that_breaks_off(faulty: Faulty) -> None:
    faulty.bucket.put("a", b"x" * 100_000)
    faulty.script += [503, "reset", "half"]
    assert faulty.bucket.read("a") == b"x" * 100_000
    # As long as the server asked for, then by the rule.
    assert (faulty.script, faulty.waited) == ([], [7.0, 0.5, 1.0])


def test_an_upload_in_parts_is_sent_again(faulty: Faulty, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * 9_000_000)
    faulty.script += [None, 500]
    faulty.bucket.upload(path, "large", "application/octet-stream")
    assert (len(faulty.waited), faulty.bucket.look("large")["ContentLength"]) == (1, 9_000_000)


def test_what_does_not_mend_is_given_up_with_what_it_took(faulty: Faulty) -> None:
    faulty.script += [500] * RETRIES.attempts
    with pytest.raises(TransientError, match=r"the store answered 500; tried 5 times") as caught:
        faulty.bucket.read("a")
    assert (caught.value.attempts, len(faulty.waited), faulty.script) == (5, 4, [])


def test_what_waiting_does_not_mend_is_asked_once_and_says_what_to_do(faulty: Faulty) -> None:
    faulty.script += [(403, DENIED), 500]
    with pytest.raises(StoreError, match="access is denied: allow s3:GetObject") as caught:
        faulty.bucket.read("a")
    assert (caught.value.code, faulty.waited, len(faulty.script)) == ("AccessDenied", [], 1)
    assert caught.value.__context__ is None, "what boto3 raised quotes the answer"


def test_who_may_not_list_unfinished_uploads_goes_on_without(faulty: Faulty) -> None:
    faulty.script += [(403, DENIED)]
    faulty.bucket.end_uploads("exports/")
    assert faulty.script == []
