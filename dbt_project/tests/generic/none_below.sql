{# None of `columns` is below `minimum`; one scan for all of them. NULL passes. #}
{% test none_below(model, columns, minimum=0) %}
select 1
from {{ model }}
where
    {% for column in columns -%}
    {{ column }} < {{ minimum }}{{ ' or' if not loop.last }}
    {% endfor %}
{% endtest %}
