{# None of `columns` is NaN or infinite; one scan for all of them. NULL passes. #}
{% test all_finite(model, columns) %}
select 1
from {{ model }}
where
    {% for column in columns -%}
    not isfinite({{ column }}){{ ' or' if not loop.last }}
    {% endfor %}
{% endtest %}
