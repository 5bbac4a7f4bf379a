{# Each of `conditions` is true in every row; one scan for all of them. NULL passes. #}
{% test holds(model, conditions) %}
select 1
from {{ model }}
where
    {% for condition in conditions -%}
    not ({{ condition }}){{ ' or' if not loop.last }}
    {% endfor %}
{% endtest %}
