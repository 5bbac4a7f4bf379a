{# The numbers of a line: of NAME_given the NAME_double, NAME_read (decimal) and NAME_mark (a currency in the cell). #}
{# A written number, such as (1,234.50) or 12.00 EUR, is looked at only where the warehouse's own reading fails. #}
plain as (
    select
        *,
{% for figure in money.figures %}
{% set given = figure.given | identifier %}
{% if money.marks.is_plain or not figure.is_text %}
        try_cast({{ given }} as double)
{% else %}
        -- Words such as NaN, and JSON's own numbers, have one grammar whatever the marks.
        case
            when not regexp_matches({{ given }}, '[0-9]')
                {% if figure.json_pointer is not none %}or json_type(document, {{ figure.json_pointer | bind }}) in ('BIGINT', 'UBIGINT', 'DOUBLE'){% endif %}

                then try_cast({{ given }} as double)
        end
{% endif %}
        as {{ figure.plain | identifier }},
{% endfor %}
        try_cast(coupon_given as boolean) as coupon_used
    from placed
),
written as (
    select
        *,
{% for figure in money.figures %}
{% set given = figure.given | identifier %}
{% if figure.is_text %}
{% set figures, positive, negative = money.marks.taken_out | bind, money.marks.positive | bind, money.marks.negative | bind %}
        case
            when {{ given }} is not null and {{ figure.plain | identifier }} is null then case
{% if not money.marks.is_plain %}
                when regexp_matches({{ given }}, {{ money.marks.plain | bind }}) then translate({{ given }}, {{ figures }}, '.')
{% endif %}
                when regexp_matches({{ given }}, {{ positive }})
                    then translate(regexp_replace({{ given }}, {{ positive }}, '\1'), {{ figures }}, '.')
                when regexp_matches({{ given }}, {{ negative }})
                    then '-' || translate(regexp_replace({{ given }}, {{ negative }}, '\1\2\3'), {{ figures }}, '.')
            end
        end as {{ figure.written | identifier }},
        case
            when {{ given }} is not null and {{ figure.plain | identifier }} is null
{% if not money.marks.is_plain %}
                and not regexp_matches({{ given }}, {{ money.marks.plain | bind }})
{% endif %}
                then upper(regexp_replace({{ given }}, {{ money.frame | bind }}, '', 'g'))
            else ''
        end as {{ figure.mark | identifier }}{% if not loop.last %},{% endif %}

{% else %}
        cast(null as varchar) as {{ figure.written | identifier }},
        '' as {{ figure.mark | identifier }}{% if not loop.last %},{% endif %}

{% endif %}
{% endfor %}
    from plain
),
-- Products of two DECIMAL(18) overflow at 18 digits: one factor is widened first.
numbers as (
    select
        *,
{% for figure in money.figures %}
{% set type = figure.type | sql_type %}
{% set own = "plain" if money.marks.is_plain or not figure.is_text else "words" %}
        coalesce(
            {{ figure.plain | identifier }},
            case
                when {{ figure.mark | identifier }} = ''{% if figure.is_money %} or list_contains({{ money.known_marks | bind }}, {{ figure.mark | identifier }}){% endif %}

                    then try_cast({{ figure.written | identifier }} as double)
            end
        ) as {{ figure.double | identifier }},
        coalesce(
            {% if own == "words" %}case when {{ figure.plain | identifier }} is not null then {% endif %}try_cast({{ figure.given | identifier }} as {{ type }}){% if own == "words" %} end{% endif %},
            try_cast({{ figure.written | identifier }} as {{ type }})
        ) as {{ figure.read | identifier }},
{% endfor %}
        {% if money.currency is none %}upper(currency_given){% else %}{{ money.currency | bind }}{% endif %} as line_currency
    from written
)
{% if money.units and not money.is_scaled_by_order %}
,
-- Amounts in the smallest unit of their currency: cents, yen, fils.
scaled as (
    select
        * replace (
{% for figure in money.figures if figure.is_money %}
            {{ figure.double | identifier }} * line_unit as {{ figure.double | identifier }},
            try_cast(cast({{ figure.read | identifier }} as decimal(38, 6)) * line_unit as {{ figure.type | sql_type }})
                as {{ figure.read | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
        )
    from (
        select
            *,
            {% include "raw/parts/line_unit.sql" %} as line_unit
        from numbers
    )
)
{% endif %}
