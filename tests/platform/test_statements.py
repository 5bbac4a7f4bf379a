import jinja2
import pytest

from tdml_assets.platform import statements
from tdml_assets.platform.statements import quote_identifier, render


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch):
    """Render a template given as text, through the project's own environment."""

    def render_text(text: str, **context: object) -> statements.Statement:
        environment = statements._environment().overlay(loader=jinja2.DictLoader({"t.sql": text}))
        monkeypatch.setattr(statements, "_environment", lambda: environment)
        return render("t", **context)

    return render_text


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("plain", '"plain"'),
        ('a"; drop table x; --', '"a""; drop table x; --"'),
        (("cltv", "predictions"), '"cltv"."predictions"'),
    ],
)
def test_identifiers_are_quoted_whatever_they_hold(name: str, quoted: str) -> None:
    assert quote_identifier(name) == quoted


@pytest.mark.parametrize("name", ["", "a\x00b", ("cltv", "")])
def test_identifiers_no_quoting_makes_safe_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not an identifier"):
        quote_identifier(name)


def test_values_are_bound_and_never_printed(template) -> None:
    statement = template("select {{ a | bind }}, {{ b | bind }}", a="'; drop table x; --", b=[1, 2])
    assert statement.text == "select $p0, $p1"
    assert statement.parameters == {"p0": "'; drop table x; --", "p1": [1, 2]}


@pytest.mark.parametrize("value", ["text", 5, None, ["a"]])
def test_printing_without_a_filter_is_an_error(template, value: object) -> None:
    with pytest.raises(ValueError, match="use the filters"):
        template("select {{ value }}", value=value)


def test_an_unknown_column_type_is_an_error(template) -> None:
    with pytest.raises(ValueError, match="not a column type"):
        template("select 1::{{ t | sql_type }}", t="INTEGER); drop table x; --")


def test_a_name_missing_from_the_context_is_an_error(template) -> None:
    with pytest.raises(jinja2.UndefinedError):
        template("select {{ missing | bind }}")


def test_each_file_holds_one_statement_and_no_bare_string_building() -> None:
    for path in sorted(statements.sql_directory().rglob("*.sql")):
        text = "\n".join(line.split("--")[0] for line in path.read_text(encoding="utf-8").splitlines())
        assert ";" not in text.rstrip().rstrip(";"), f"{path.name} holds more than one statement"
