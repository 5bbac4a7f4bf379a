{# The chosen rows: numeric columns side by side as v0, v1 and so on. What is not finite counts as missing. #}
measured as (
    select
    {% for column in columns %}
        case when isfinite({{ column | identifier }}::double) then {{ column | identifier }}::double end
            as {{ ("v" ~ loop.index0) | identifier }}{% if not loop.last %},{% endif %}

    {% endfor %}
    from {{ table | identifier }}
    where true
    {% for column, value in where.items() %}
        and {{ column | identifier }} = {{ value | bind }}
    {% endfor %}
)
