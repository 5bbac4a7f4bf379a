"""Secrets in addresses: refused where they can be told, and repeated by no error whatever their shape."""

import string
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tdml_assets.declaration.addresses import (
    Place,
    as_request,
    has_credentials,
    may_redirect,
    parse_place,
    redacted,
    redacted_text,
)
from tdml_assets.settings import SettingsError, load_settings

SECRET = st.text(string.ascii_letters + string.digits, min_size=12, max_size=20).map(lambda text: f"Zq{text}")
AROUND = st.sampled_from(["", "/", "@", "?", "#", ":", "%", "&", "=", "+", ".", " "])
SHAPES = [
    "https://user:{}@host/x.csv",
    "http://{}@host/x.csv",
    "https://{}:@host:8443/x.csv",
    "https:/user:{}@host/x.csv",
    "HTTPS://user:{}@host/x.csv",
    "s3://AKIAKEY:{}@bucket/x.csv",
    "s3:/AKIAKEY:{}@bucket/x.csv",
    "ftp://user:{}@host/x.csv",
    "postgresql://user:{}@host/db",
    "user:{}@host/x.csv",
    "https://host/x.csv?sig={}",
    "https://host/a b.csv?X-Amz-Signature={} 2",
    "https://host/x.csv#token={}",
    "https://host/x.csv;token={}",
    "https://host/x.csv?{}",
    "s3://bucket/x.csv?AWSSecretKey={}",
    "gs://bucket/x.csv?sig={}",
    "//user:{}@host/x.csv",
]
KEYS = {
    "sources.orders.path": lambda text: {"sources": {"orders": {**ORDERS, "path": text}}},
    "sources.orders.path, a list": lambda text: {"sources": {"orders": {**ORDERS, "path": ["a.csv", text]}}},
    "sources.orders.path, a mapping": lambda text: {"sources": {"orders": {**ORDERS, "path": {"url": text}}}},
    "sources.orders": lambda text: {"sources": {"orders": text}},
    "sources": lambda text: {"sources": {text: None}},
    "models_url": lambda text: {"models_url": text},
    "exports_url": lambda text: {"exports_url": text},
    "s3.endpoint_url": lambda text: {"s3": {"endpoint_url": text}},
    "alerts.webhook.url_env": lambda text: {"alerts": {"webhook": {"url_env": text}}},
    "alerts.email.host": lambda text: {"alerts": {"email": {"host": text, "sender": "a@b.c", "recipients": ["a@b.c"]}}},
    "alerts.slack.base_url": lambda text: {"alerts": {"slack": {"channel": "#a", "token_env": "T", "base_url": text}}},
    "workflows": lambda text: {"workflows": {"cltv": text}},
    "as_of": lambda text: {"as_of": text},
}
ORDERS = {
    "format": "csv",
    "timestamp_format": "%Y-%m-%d",
    "currency": "GBP",
    "columns": {"customer_id": "a", "ordered_at": "b", "amount": "c"},
}


def said_about(content):
    import yaml

    environment = {f"TDML_{key.upper()}": yaml.safe_dump(value) for key, value in content.items()}
    try:
        load_settings({**environment, "TDML_HOME": "/nowhere"})
    except SettingsError as error:
        return f"{error} {error!r}"
    return ""


@settings(max_examples=150, deadline=None)
@given(shape=st.sampled_from(SHAPES), key=st.sampled_from(sorted(KEYS)), secret=SECRET, mark=AROUND)
@example(shape=SHAPES[0], key="models_url", secret="Zq0123456789", mark="@")
@example(shape=SHAPES[11], key="sources.orders.path, a mapping", secret="Zq0123456789", mark=" ")
def test_no_settings_error_repeats_a_secret(shape, key, secret, mark):
    half = len(secret) // 2
    said = said_about(KEYS[key](shape.format(secret[:half] + mark + secret[half:])))
    assert secret[:half] not in said
    assert secret[half:] not in said


@settings(max_examples=100, deadline=None)
@given(shape=st.sampled_from(SHAPES), secret=SECRET)
def test_no_message_repeats_a_secret_of_an_address_in_it(shape, secret):
    address = shape.format(secret)
    assert secret not in redacted(address)
    assert redacted(redacted(address)) == redacted(address)
    if "//" in address and not address.startswith("//") and " " not in address:
        assert secret not in redacted_text(f"file {address} could not be had: 'also {address}'")


@pytest.mark.parametrize("key", ["sources.orders.path", "models_url", "exports_url", "s3.endpoint_url"])
@pytest.mark.parametrize("shape", [*SHAPES[:7], "s3://AKIAKEY:ab/cd@bucket/x", "https://user:pa?ss@host/x.csv"])
def test_an_address_with_a_user_is_refused_by_its_key_and_the_remedy_is_named(key, shape):
    said = said_about(KEYS[key](shape.format("Zq0123456789")))
    assert f"{key.removesuffix('.path')}" in said
    assert "environment" in said or "write" in said


@pytest.mark.parametrize(
    "text",
    ["data/orders-?.csv", "s3://bucket/year=?/part-*.csv", "/a b/c@d.csv", "a@example.org", "%H:%M", "orders[1].csv"],
)
def test_what_holds_no_secret_is_shown_as_it_is(text):
    assert redacted(text) == text
    assert redacted({text: [text, 1, None]}) == {text: [text, 1, None]}


def test_a_user_is_found_and_a_port_is_none():
    assert not has_credentials("https://host:8443/x.csv")
    assert not has_credentials("http://[::1]:80/x.csv")
    assert not has_credentials("s3://bucket/a@b.csv")
    for address in ("https://u@h/x", "https://u:p@h/x", "s3://k:s/t@b/x", "https://u:p/a@h/x", "https://h:port/x"):
        assert has_credentials(address), address


def test_an_address_is_asked_for_in_ascii_and_keeps_its_codes():
    assert as_request("https://bücher.example:81/é ü%20.csv?sig=a b%2B+c#x") == (
        "https://xn--bcher-kva.example:81/%C3%A9%20%C3%BC%20.csv?sig=a%20b%2B+c"
    )


@pytest.mark.parametrize(
    ("target", "followed"),
    [
        ("http://host/b.csv?sig=1", True),
        ("https://host/b.csv", True),
        ("https://host:8443/b.csv", True),
        ("http://host:81/b.csv", False),
        ("http://other/b.csv", False),
        ("http://host.other/b.csv", False),
        ("http://u:p@host/b.csv", False),
        ("ftp://host/b.csv", False),
        ("file:///etc/passwd", False),
        ("data:text/csv,a", False),
        ("http://host:port/b.csv", False),
        ("http://[/b.csv", False),
    ],
)
def test_a_redirect_stays_on_its_host_or_goes_to_https_there(target, followed):
    assert may_redirect("http://host/a.csv", target) is followed


def test_https_is_never_left():
    assert may_redirect("https://host/a.csv", "https://host/b.csv")
    assert not may_redirect("https://host/a.csv", "http://host/b.csv")
    assert not may_redirect("https://host/a.csv", "https://host:444/b.csv")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("exports", Place(Path("exports"))),
        ("/srv/a b", Place(Path("/srv/a b"))),
        ("~/exports", Place(Path.home() / "exports")),
        ("file:///srv/a%20b", Place(Path("/srv/a b"))),
        ("s3://bucket", Place(bucket="bucket")),
        ("s3://bucket/a/b/", Place(bucket="bucket", prefix="a/b")),
    ],
)
def test_a_place_is_a_folder_or_a_bucket_with_a_prefix(url: str, place: Place) -> None:
    assert parse_place(url, "models_url") == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "ftp://host/x",
        "https://bucket/x",
        "s3:///x",
        "file://host/x",
        "file:///",
        "s3://k:secret@b/x",
        "s3://b/x?a=secret",
    ],
)
def test_any_other_place_is_refused_with_what_is_allowed_and_without_a_secret(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"exports_url .* names no place: give a folder, .* or s3://bucket/prefix"
    ) as caught:
        parse_place(url, "exports_url")
    assert "secret" not in str(caught.value)
