-- The one statement that prepares features, for training (keys: split and target too) and for scoring.
with bounded as (
    select
        {% for key in keys %}
        {{ key | identifier }},
        {% endfor %}
        {% for column in carried %}
        {{ column | identifier }} as {{ ("raw__" ~ column) | identifier }},
        {% endfor %}
        {% for column in parameters.numeric %}
        case
            when {{ column.name | identifier }} is null then {{ column.fill | bind }}::double
            {% if column.low is not none and parameters.outliers == "clip" %}
            {# least() and greatest() pass over NULL, so a missing value must not reach them. #}
            else greatest({{ column.low | bind }}, least({{ column.high | bind }}, {{ column.name | identifier }}::double))
            {% else %}
            else {{ column.name | identifier }}::double
            {% endif %}
        end as {{ column.name | identifier }},
        {% endfor %}
        {% for column in parameters.flagged %}
        coalesce({{ column.name | identifier }}::double not between {{ column.low | bind }} and {{ column.high | bind }}, false)::integer as {{ (column.name ~ "__outlier") | identifier }},
        {% endfor %}
        {% for level in parameters.levels %}
        {% if level.value is not none %}
        coalesce({{ level.source | identifier }} = {{ level.value | bind }}, false)::integer as {{ level.name | identifier }},
        {% else %}
        coalesce({{ level.source | identifier }} not in (select unnest({{ level.others | list | bind }}::varchar[])), false)::integer as {{ level.name | identifier }},
        {% endif %}
        {% endfor %}
    from {{ table | identifier }}
    where true
    {% if snapshot_date is not none %}
        and snapshot_date = {{ snapshot_date | bind }}
    {% endif %}
    {% if parameters.outliers == "drop" and drop_outliers %}
    {% for column in parameters.numeric if column.low is not none %}
        and (split not in ('train', 'refit') or coalesce({{ column.name | identifier }}::double between {{ column.low | bind }} and {{ column.high | bind }}, true))
    {% endfor %}
    {% endif %}
)

select
    {% for key in keys %}
    {{ key | identifier }},
    {% endfor %}
    {% for column in carried %}
    {{ ("raw__" ~ column) | identifier }},
    {% endfor %}
    {% for column in parameters.numeric %}
    {% if column.log1p %}
    (sign({{ column.name | identifier }}) * ln(1 + abs({{ column.name | identifier }})) - {{ column.center | bind }}) / {{ column.scale | bind }} as {{ column.name | identifier }},
    {% else %}
    ({{ column.name | identifier }} - {{ column.center | bind }}) / {{ column.scale | bind }} as {{ column.name | identifier }},
    {% endif %}
    {% endfor %}
    {% for column in parameters.flagged %}
    {{ (column.name ~ "__outlier") | identifier }},
    {% endfor %}
    {% for level in parameters.levels %}
    {{ level.name | identifier }},
    {% endfor %}
from bounded
{% if ordered %}
order by customer_id
{% endif %}
