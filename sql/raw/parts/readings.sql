{# A time in one of several formats: per format one column NAME_<n>, a local time or an instant. The first that reads counts. #}
{% for reading in times.readings %}
{% set given = times.given | identifier %}
        {% if not loop.first %}case when {% for earlier in times.readings[: loop.index0] %}{{ earlier.column | identifier }} is null{% if not loop.last %} and {% endif %}{% endfor %} then {% endif %}
{% if reading.kind == "local_text" %}
{% if reading.months %}
        -- The warehouse knows the English names of months.
        coalesce(
            try_strptime({{ given }}, {{ reading.format | bind }}),
            try_strptime(
                {% for pattern, english in reading.months %}regexp_replace({% endfor %}{{ given }}{% for pattern, english in reading.months %}, {{ pattern | bind }}, {{ english | bind }}){% endfor %},
                {{ reading.english_format | bind }}
            )
        )
{% else %}
        try_strptime({{ given }}, {{ reading.format | bind }})
{% endif %}
{% elif reading.kind == "instant_text" %}
        coalesce(
            try_strptime({{ given }}, {{ reading.format | bind }}),
            case when right({{ given }}, 1) in ('Z', 'z') then try_strptime(left({{ given }}, -1) || '+00', {{ reading.format | bind }}) end
        )
{% elif reading.kind == "unix" %}
        case
            when try_cast({{ given }} as double) / {{ reading.units_per_second | bind }} between -62135596800 and 253402214400
                then to_timestamp(try_cast({{ given }} as double) / {{ reading.units_per_second | bind }})
        end
{% elif reading.kind == "excel" %}
        -- Days since 1899-12-30. Spreadsheets print fewer digits than a second takes: the nearest one is meant.
        case
            when try_cast(replace(cast({{ given }} as varchar), ',', '.') as double) between 1 and 2958465
                then make_timestamp((
                    cast(round(try_cast(replace(cast({{ given }} as varchar), ',', '.') as double) * 86400) as bigint) - 2209161600
                ) * 1000000)
        end
{% else %}
        case
            when regexp_matches({{ given }}, {{ reading.usual | bind }}) then try_cast({{ given }} as {% if reading.kind == "iso_instant" %}timestamptz{% else %}timestamp{% endif %})
            -- ISO 8601 leaves marks out, and puts a comma before fractions; the warehouse reads the usual form alone.
            when regexp_matches({{ given }}, {{ reading.pattern | bind }}) then try_cast(
                regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
                    translate(upper({{ given }}), {{ reading.other_marks | bind }}, '.-'),
                    ' ?UTC$| Z$', 'Z'), ' ([+-])', '\1'),
                    '^([0-9]{4})([0-9]{2})([0-9]{2})', '\1-\2-\3'),
                    '([T ][0-9]{2})([0-9]{2})([0-9]{2})', '\1:\2:\3'),
                    '([T ][0-9]{2})([0-9]{2})(Z|[+-]|$)', '\1:\2\3')
                as {% if reading.kind == "iso_instant" %}timestamptz{% else %}timestamp{% endif %})
        end
{% endif %}
        {% if not loop.first %}end {% endif %}as {{ reading.column | identifier }},
{% endfor %}
