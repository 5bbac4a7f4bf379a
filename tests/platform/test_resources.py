"""Settings become resources that reach a real S3 server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tdml_assets.platform.resources import build_model_store, s3_client
from tdml_assets.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    file = f"models_url: s3://models/team\ns3: {{endpoint_url: 'http://{host}:{port}', region_name: us-east-1}}\n"
    (tmp_path / "tdml.yaml").write_text(file, encoding="utf-8")
    try:
        yield load_settings({"TDML_CONFIG": "tdml.yaml"}, working_folder=tmp_path)
    finally:
        server.stop()


def test_the_declared_endpoint_and_the_environments_credentials_reach_the_bucket(settings: Settings) -> None:
    client = s3_client(settings)
    client.create_bucket(Bucket="models")
    store = build_model_store(settings).open()
    assert store.champion("cltv") is None
    with pytest.raises(LookupError, match=r"there is no complete version cltv/2026-06-30-0123456789ab"):
        store.promote(
            "cltv",
            "2026-06-30-0123456789ab",
            replacing=None,
            reason="test",
            session_id="s",
            promoted_at=datetime.now(UTC).replace(tzinfo=None),
        )
    assert "Contents" not in client.list_objects_v2(Bucket="models")
