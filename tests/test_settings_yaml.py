"""Settings files that are not settings: each is refused by line, without a traceback and without its values."""

import time

import pytest

from tdml_assets.settings import SettingsError, load_settings
from tdml_assets.settings_yaml import UnreadableYamlError, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 30)}]}}\n"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("? [a, b]\n: c", "line 1, column 3: a key is a list or a mapping"),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' is given twice"),
        ("as_of: 2026-02-30", "line 1, column 8: the value is not what it looks like"),
        ("[" * 1_000, "levels deep"),
        ("a: &a [*a]", "levels deep"),
        (BOMB, "more than 100,000 values"),
        (MERGES, "more than 100,000 values"),
        ("a: \x07", "line 1: a character that YAML does not allow"),
        ("a: *SECRET", "line 1, column 4"),
        ("path: https://u:SECRET@h: x", "line 1, column 25: mapping values are not allowed here"),
    ],
)
def test_yaml_that_cannot_be_settings_is_refused_at_once(text, said):
    start = time.process_time()
    with pytest.raises(UnreadableYamlError) as caught:
        read_yaml(text)
    assert said in str(caught.value)
    assert "u:SECRET" not in str(caught.value)
    assert time.process_time() - start < 5


def test_the_file_and_the_variable_are_named(tmp_path):
    (tmp_path / "tdml.yaml").write_text("trusted_types: &a [*a]\n")
    with pytest.raises(SettingsError, match=r"tdml\.yaml is not readable YAML: values lie more than 50 levels deep"):
        load_settings({}, working_folder=tmp_path)
    with pytest.raises(SettingsError, match=r"TDML_AS_OF is not readable YAML: line 1"):
        load_settings({"TDML_AS_OF": "[1"}, working_folder=tmp_path / "none")
    (tmp_path / "tdml.yaml").write_bytes(b"as_of: \xff\n")
    with pytest.raises(SettingsError, match=r"tdml\.yaml is not UTF-8 text \(byte 7\)"):
        load_settings({}, working_folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("warehouse: {threads: 1000000}", "warehouse.threads: Input should be less than or equal to 1024"),
        ("warehouse: {memory_limit_gb: .inf}", "warehouse.memory_limit_gb"),
        ("warehouse: {wait_seconds: .nan}", "warehouse.wait_seconds"),
        ("workflows: [[cltv]]", "workflows"),
        ("1: 2", "1"),
    ],
)
def test_values_that_no_machine_has_are_refused(tmp_path, text, said):
    (tmp_path / "tdml.yaml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings({}, working_folder=tmp_path)
