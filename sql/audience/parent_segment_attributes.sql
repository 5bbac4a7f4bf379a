-- One row per customer whom any of the workflows has scored; NULL where a workflow does not know the customer. Workflows without
-- new scores (others) keep the attributes of the last publication, or have none.
-- Deciles and percentiles are whole-number arithmetic on the row number, so that they are the same on every machine.
with
{% for workflow in workflows %}
{{ ("scored_" ~ workflow.name) | identifier }} as (
    select *
    from {{ workflow.table | identifier }}
    where session_id = {{ workflow.session_id | bind }}
),

{{ ("attributes_" ~ workflow.name) | identifier }} as (
    select
        customer_id
{% for attribute in workflow.attributes %}
{% set column = attribute.column | identifier %}
{% if attribute.kind == "decile" %}
        , case
            when {{ column }} is not null then (
                10 * row_number() over (partition by {{ column }} is null order by {{ column }}, customer_id)
                + count({{ column }}) over () - 1
            ) // count({{ column }}) over ()
        end as {{ attribute.name | identifier }}
{% elif attribute.kind == "percentile" %}
        , case
            when {{ column }} is null then null
            when count({{ column }}) over () = 1 then 100
            else 100 * (row_number() over (partition by {{ column }} is null order by {{ column }}, customer_id) - 1)
                // (count({{ column }}) over () - 1)
        end as {{ attribute.name | identifier }}
{% elif attribute.never_bought %}
        , coalesce(
            min_by({{ column }}, rank) filter (where rank >= {{ attribute.rank | bind }} and slot = {{ never_bought | bind }}),
            min_by({{ column }}, rank) filter (where slot = {{ never_bought | bind }})
        ) as {{ attribute.name | identifier }}
{% elif workflow.ranked %}
        , max({{ column }}){% if attribute.rank is not none %} filter (where rank = {{ attribute.rank | bind }}){% endif %}
 as {{ attribute.name | identifier }}
{% else %}
        , {{ column }} as {{ attribute.name | identifier }}
{% endif %}
{% endfor %}
    from {{ ("scored_" ~ workflow.name) | identifier }}
{% if workflow.ranked %}
    group by customer_id
{% endif %}
),

{% endfor %}
population as (
{% for workflow in workflows %}
    select distinct customer_id from {{ ("scored_" ~ workflow.name) | identifier }}
{% if not loop.last %}
    union
{% endif %}
{% endfor %}
)

select
    population.customer_id
    , cast({{ as_of | bind }} as date) as as_of
{% for workflow in workflows %}
{% for attribute in workflow.attributes %}
    , {{ ("attributes_" ~ workflow.name) | identifier }}.{{ attribute.name | identifier }}
{% endfor %}
{% endfor %}
{% for workflow in others if workflow.carried %}
{% for attribute in workflow.attributes %}
    , carried.{{ attribute.name | identifier }}
{% endfor %}
{% endfor %}
{% for workflow in others if not workflow.carried %}
{% for attribute in workflow.attributes %}
    , null as {{ attribute.name | identifier }}
{% endfor %}
{% endfor %}
{% if control_table is not none %}
    , coalesce(control.in_control_group, false) as in_control_group
{% endif %}
from population
{% if control_table is not none %}
left join {{ control_table | identifier }} as control
    on population.customer_id = control.customer_id and control.seed = {{ seed | bind }}::bigint
{% endif %}
{% for workflow in workflows %}
left join {{ ("attributes_" ~ workflow.name) | identifier }}
    on population.customer_id = {{ ("attributes_" ~ workflow.name) | identifier }}.customer_id
{% endfor %}
{% if others | selectattr("carried") | list %}
left join {{ carried_table | identifier }} as carried on population.customer_id = carried.customer_id
{% endif %}
