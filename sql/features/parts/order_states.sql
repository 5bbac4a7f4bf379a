{# Orders with their earlier states. On a day counts what was recorded by then and replaced later, if at all. #}
states as (
    select *, cast(null as date) as replaced_on
    from {{ orders_table | identifier }}
    union all by name
    select *
    from {{ replaced_orders | identifier }}
)
