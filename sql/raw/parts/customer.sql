{# The id of a customer, of the first column that has one, without what the declaration says makes no difference. #}
{% for column in customer.columns %}
{% set given = column.given | identifier %}
{% set strips, trims, folds = "strip_zero_width" in customer.normalise, "trim" in customer.normalise, "casefold" in customer.normalise %}
        nullif({% if folds %}replace(lower(upper({% endif %}{% if trims %}regexp_replace({% endif %}{% if strips %}regexp_replace({% endif %}{{ given }}{% if strips %}, {{ customer.zero_width | bind }}, '', 'g'){% endif %}{% if trims %}, {{ customer.blanks | bind }}, '', 'g'){% endif %}{% if folds %})), 'ß', 'ss'){% endif %}, '') as {{ column.text | identifier }},
{% endfor %}
{% if customer.is_integer %}
{# Digits that an exponent or a double has lost make several customers one. #}
        coalesce({% for column in customer.columns %}
{% set text = column.text | identifier %}
            case
                when {{ text }} is null{% if customer.empty %} or list_contains({{ customer.empty | list | bind }}, lower(trim({{ text }}))){% endif %} then null
{% if column.exact_below is not none %}
                when abs(try_cast({{ text }} as double)) >= {{ column.exact_below | bind }} then true
{% elif column.json_pointer is not none %}
                when json_type(document, {{ column.json_pointer | bind }}) = 'DOUBLE' and abs(try_cast({{ text }} as double)) >= 9007199254740992 then true
{% endif %}
                when regexp_matches({{ text }}, '^[+-]?[0-9]([.][0-9]+)?[eE][+]?[0-9]{1,3}$') then
                    abs(try_cast({{ text }} as double)) >= 9007199254740992
                    or (
                        abs(try_cast({{ text }} as double)) >= 1e11
                        and length(regexp_replace(regexp_extract({{ text }}, '^[^eE]+'), '[^0-9]', '', 'g'))
                            <= try_cast(regexp_extract({{ text }}, '[0-9]+$') as integer)
                    )
                else false
            end,
{% endfor %}
            false
        ) as {{ (customer.output ~ "_is_rounded") | identifier }},
{% endif %}
        coalesce({% for column in customer.columns %}
{% set text = column.text | identifier %}
{% if customer.empty or customer.is_integer %}
            case
{% if customer.empty %}
                when list_contains({{ customer.empty | list | bind }}, lower(trim({{ text }}))) then null
{% endif %}
{% if customer.is_integer %}
                when regexp_matches({{ text }}, '^[+-]?[0-9]+([.]0*)?$')
                    then {% if customer.empty %}case
                        when not list_contains({{ customer.empty | list | bind }}, regexp_replace({{ text }}, '^[+]?(-?)0*([0-9]+)([.]0*)?$', '\1\2'))
                            then {% endif %}regexp_replace({{ text }}, '^[+]?(-?)0*([0-9]+)([.]0*)?$', '\1\2'){% if customer.empty %} end{% endif %}

                when regexp_matches({{ text }}, '^[+-]?[0-9]([.][0-9]+)?[eE][+]?[0-9]{1,2}$')
                    and try_cast({{ text }} as double) = trunc(try_cast({{ text }} as double))
                    then cast(try_cast(try_cast({{ text }} as double) as hugeint) as varchar)
{% endif %}
                else {{ text }}
            end{% if not loop.last %},{% endif %}

{% else %}
            {{ text }}{% if not loop.last %},{% endif %}

{% endif %}

{% endfor %}
        ) as {{ customer.output | identifier }},
