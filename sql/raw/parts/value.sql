{% if value.field is none %}
cast(null as varchar)
{%- elif value.family == "json" and value.plain %}
nullif({% if value.is_trimmed %}trim({% else %}regexp_replace({% endif %}case json_type(document, {{ value.field | bind }})
    when 'DOUBLE' then case
        when try_cast(document ->> {{ value.field | bind }} as hugeint) = try_cast(document ->> {{ value.field | bind }} as double)
            then cast(try_cast(document ->> {{ value.field | bind }} as hugeint) as varchar)
        else document ->> {{ value.field | bind }}
    end
    else document ->> {{ value.field | bind }}
end, {% if value.is_trimmed %}{{ blanks | bind }}{% else %}'^[ \t\r\n\x{00a0}]+$', ''{% endif %}), '')
{%- elif value.family == "json" %}
nullif(trim(document ->> {{ value.field | bind }}, {{ blanks | bind }}), '')
{%- elif value.family == "text" %}
{# Trimming is the dearest step of a load, and nearly no value has blanks at its ends. #}
nullif(case
    when left(cast({{ value.field | identifier }} as varchar), 1) <= ' '
        or cast({{ value.field | identifier }} as varchar)[-1] <= ' '
{% if layout.has_no_break_blanks %}
        or contains(cast({{ value.field | identifier }} as varchar), chr(160))
{% endif %}
        then {% if value.is_trimmed %}trim(cast({{ value.field | identifier }} as varchar), {{ blanks | bind }}){% else %}regexp_replace(cast({{ value.field | identifier }} as varchar), '^[ \t\r\n\x{00a0}]+$', ''){% endif %}

    else cast({{ value.field | identifier }} as varchar)
end, '')
{%- elif value.plain and value.family == "number" %}
case
    when not isfinite(cast({{ value.field | identifier }} as double)) then null
    when {{ value.field | identifier }} = trunc({{ value.field | identifier }})
        and abs(cast({{ value.field | identifier }} as double)) < 1e18
        then cast(cast({{ value.field | identifier }} as hugeint) as varchar)
    else cast({{ value.field | identifier }} as varchar)
end
{%- elif value.plain %}
cast({{ value.field | identifier }} as varchar)
{%- else %}
{{ value.field | identifier }}
{%- endif %}
