{# Tables whose sources tell when their rows were recorded; the platform names them to dbt. #}
{% macro recorded_sources() %}
{{ return(env_var('RECORDED_SOURCES', '').split(',') | select | list) }}
{% endmacro %}

{#
The rows that features are computed from. Where no source tells when rows were recorded, they are those of staging.
Else a snapshot may have seen other rows of a customer than there are today: rows that were recorded later were missing, and rows
that were replaced later still counted. Such a customer has a view of that snapshot: a copy of the rows as they were known then, under
an id of its own (int_known_customers). All models compute the view as they compute a customer, and customer_features puts the
customer's id back.
#}
{% macro as_known(table) %}
{%- if recorded_sources() -%}
(
        select * {% if table in recorded_sources() %}exclude (recorded_on) {% endif %}from {{ ref('stg_' ~ table) }}
        union all by name
        select * from {{ ref('int_known_' ~ table) }}
    )
{%- else -%}
{{ ref('stg_' ~ table) }}
{%- endif -%}
{% endmacro %}

{# The copies of as_known. `day` is the column of the day on which a row happened. #}
{% macro rows_as_known(table, day) -%}
{%- set is_recorded = table in recorded_sources() -%}
with

known_customers as (

    select * from {{ ref('int_known_customers') }}

),

states as (

    select * from {{ ref('stg_' ~ table) }}
    {%- if is_recorded %}
    union all by name
    select * from {{ ref('stg_replaced_' ~ table) }}
    {%- endif %}

)

select states.* {% if is_recorded %}exclude (recorded_on, replaced_on) {% endif %}replace (
    {%- if table == 'orders' %}
    -- A file and a row name one line, also of a copy.
    concat(cast(known_customers.snapshot_date as varchar), chr(0), states.file) as file,
    {%- endif %}
    known_customers.view_id as customer_id
)
from states
inner join known_customers
    on states.customer_id = known_customers.customer_id
    and states.{{ day }} <= known_customers.snapshot_date
    {%- if is_recorded %}
    and states.recorded_on <= known_customers.snapshot_date
    and coalesce(states.replaced_on > known_customers.snapshot_date, true)
    {%- endif %}
{%- endmacro %}
