{# None of `columns` is NULL; one scan for all of them. #}
{% test none_null(model, columns) %}
select 1
from {{ model }}
where
    {% for column in columns -%}
    {{ column }} is null{{ ' or' if not loop.last }}
    {% endfor %}
{% endtest %}
