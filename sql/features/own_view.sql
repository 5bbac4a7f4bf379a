-- Features of eligible customers at each snapshot, with the chosen columns of the customers source; of several rows of a customer
-- the last of the file counts.
create or replace view {{ view | identifier }} as
{% if columns %}
with customers as (
    select
        customer_id{% for name in columns %},
        {{ name | identifier }}
{%- endfor %}

    from {{ customers_table | identifier }}
    qualify row_number() over (partition by customer_id order by file desc, row_number desc) = 1
)

{% endif %}
select
    features.*{% for name, type in columns.items() %},
    try_cast(customers.{{ name | identifier }} as {{ type | sql_type }}) as {{ ("customer_" ~ name) | identifier }}
{%- endfor %}

from {{ features_table | identifier }} as features
cross join {{ rule | identifier }} as rule
{% if columns %}
left join customers on features.customer_id = customers.customer_id
{% endif %}
where
    features.days_since_last_order <= coalesce(rule.ordered_within_days, features.days_since_last_order)
    and features.total_orders >= rule.min_orders
