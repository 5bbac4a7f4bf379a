-- The one statement that prepares features, for training (keys: split and target too) and for scoring. Hive, Spark and Trino can run
-- it too (hence a subquery, which Hive allows where it allows no "with"): a table of weights scores there behind the same preparation.
select
    {% for key in keys %}
    {{ key | identifier }}{% if not loop.last %},{% endif %}

    {% endfor %}
    {% for column in carried %}
    , {{ ("raw__" ~ column) | identifier }}
    {% endfor %}
    {% for column in parameters.numeric %}
    {% if column.log1p %}
    , (sign({{ column.name | identifier }}) * ln(1 + abs({{ column.name | identifier }})) - {{ column.center | bind }}) / {{ column.scale | bind }} as {{ column.name | identifier }}
    {% else %}
    , ({{ column.name | identifier }} - {{ column.center | bind }}) / {{ column.scale | bind }} as {{ column.name | identifier }}
    {% endif %}
    {% endfor %}
    {% for column in parameters.flagged %}
    , {{ (column.name ~ "__outlier") | identifier }}
    {% endfor %}
    {% for level in parameters.levels %}
    , {{ level.name | identifier }}
    {% endfor %}
from (
    select
        {% for key in keys %}
        {{ key | identifier }}{% if not loop.last %},{% endif %}

        {% endfor %}
        {% for column in carried %}
        , {{ column | identifier }} as {{ ("raw__" ~ column) | identifier }}
        {% endfor %}
        {% for column in parameters.numeric %}
        , case
            when {{ column.name | identifier }} is null then cast({{ column.fill | bind }} as {{ "DOUBLE" | sql_type }})
            {% if column.low is not none and parameters.outliers == "clip" %}
            {# In DuckDB least() and greatest() pass over NULL, so a missing value must not reach them. #}
            else greatest({{ column.low | bind }}, least({{ column.high | bind }}, cast({{ column.name | identifier }} as {{ "DOUBLE" | sql_type }})))
            {% else %}
            else cast({{ column.name | identifier }} as {{ "DOUBLE" | sql_type }})
            {% endif %}
        end as {{ column.name | identifier }}
        {% endfor %}
        {% for column in parameters.flagged %}
        , case when cast({{ column.name | identifier }} as {{ "DOUBLE" | sql_type }}) not between {{ column.low | bind }} and {{ column.high | bind }} then 1 else 0 end as {{ (column.name ~ "__outlier") | identifier }}
        {% endfor %}
        {% for level in parameters.levels %}
        {% if level.value is not none %}
        , case when {{ level.source | identifier }} = {{ level.value | bind }} then 1 else 0 end as {{ level.name | identifier }}
        {% elif level.others %}
        , case when {{ level.source | identifier }} not in ({% for other in level.others %}{% if not loop.first %}, {% endif %}{{ other | bind }}{% endfor %}) then 1 else 0 end as {{ level.name | identifier }}
        {% else %}
        , case when {{ level.source | identifier }} is not null then 1 else 0 end as {{ level.name | identifier }}
        {% endif %}
        {% endfor %}
    from {{ table | identifier }}
    where true
    {% if snapshot_date is not none %}
        and snapshot_date = {{ snapshot_date | bind }}
    {% endif %}
    {# Asked for where rows are read into memory, never where customers are scored. #}
    {% if sample_share is defined and sample_share < 1 %}
        and (md5_number_lower('sample:' || customer_id) % 1000000)::double / 1000000 < {{ sample_share | bind }}
    {% endif %}
    {# Here the view of eligible customers says so. #}
    {% if eligible is defined and eligible.ordered_within_days is not none %}
        and days_since_last_order <= {{ eligible.ordered_within_days | bind }}
    {% endif %}
    {% if eligible is defined %}
        and total_orders >= {{ eligible.min_orders | bind }}
    {% endif %}
    {% if parameters.outliers == "drop" and drop_outliers %}
    {% for column in parameters.numeric if column.low is not none %}
        and (split not in ('train', 'refit') or coalesce(cast({{ column.name | identifier }} as {{ "DOUBLE" | sql_type }}) between {{ column.low | bind }} and {{ column.high | bind }}, true))
    {% endfor %}
    {% endif %}
) as bounded
{% if ordered %}
order by customer_id
{% endif %}
