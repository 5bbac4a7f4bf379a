{# Refunds find the customer of the order they name, and totals of orders reach every line of theirs. #}
marked as (
    select
        *,
{% if orders.has_parents %}
        coalesce(
            parent_given is distinct from order_key
            and parent_given is not null
            and (customer_id is null or total_double < 0), false
        ) as is_refund,
{% else %}
        false as is_refund,
{% endif %}
        coalesce(quantity_double < 0 or total_double < 0 or meaning = 'return', false) as takes_back
    from meant
),
{% if orders.has_parents %}
parents as (
    select
        order_key as parent_key,
        arg_max(customer_id, read_place) filter (where customer_id is not null) as parent_customer,
        arg_max(currency_given, read_place) filter (where currency_given is not null) as parent_currency,
        arg_max(rate, read_place) filter (where currency_given is not null) as parent_rate,
        bool_and(meaning in ('void', 'ignore')) as has_no_sale
    from marked
    where order_key is not null and not is_refund
    group by order_key
),
refunded_orders as (
    select distinct parent_given as refunded_key
    from marked
    where is_refund
),
linked as (
    select
        marked.* replace (
            -- Money that goes back is the order's customer's, also where the row names who paid it back: the shop itself, say.
            coalesce(case when marked.is_refund then parents.parent_customer end, marked.customer_id) as customer_id,
            coalesce(marked.currency_given, case when marked.is_refund then parents.parent_currency end) as currency_given,
            coalesce(marked.rate, case when marked.is_refund and marked.currency_given is null then parents.parent_rate end) as rate,
            -- An order that counts as nothing has nothing to give back.
            case when marked.is_refund and parents.has_no_sale then 'void' else marked.meaning end as meaning
        ),
        refunded_orders.refunded_key is not null as has_refund_rows
    from marked
    left join parents
        on marked.parent_given = parents.parent_key
    left join refunded_orders
        on marked.order_key = refunded_orders.refunded_key
),
{% else %}
linked as (
    select
        *,
        false as has_refund_rows
    from marked
),
{% endif %}
grouped as (
    select
        *,
        -- What is taken back is not part of its order's total; refunds of other moments or amounts are others.
        case
            when order_key is null then cast(read_place as varchar)
            when is_refund or takes_back
                then cast(json_array(
                    order_key, cast(moment_utc as varchar),
                    coalesce(amount_given, last_value(amount_given ignore nulls) over (
                        partition by order_key, takes_back order by read_place
                        rows between unbounded preceding and current row
                    ))
                ) as varchar)
            else cast(json_array(order_key) as varchar)
        end as order_group
    from linked
),
{% if orders.totals %}
boxed as (
    select
        *,
{% for total in orders.totals %}
        case
            when {{ total.given | identifier }} is not null
                then struct_pack({% for column in total.columns %}{{ column | identifier }} := {{ column | identifier }}{% if not loop.last %}, {% endif %}{% endfor %})
        end as {{ total.pack | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
    from grouped
),
spread as (
    select
{% for total in orders.totals %}
        coalesce(
            last_value({{ total.pack | identifier }} ignore nulls) over so_far,
            first_value({{ total.pack | identifier }} ignore nulls) over rest
        ) as {{ ("filled_" ~ total.pack) | identifier }},
{% endfor %}
        *
    from boxed
    window
        so_far as (partition by order_group order by read_place rows between unbounded preceding and current row),
        rest as (partition by order_group order by read_place rows between current row and unbounded following)
),
{% endif %}
resolved as (
    select
        *
{% if orders.totals %}
        replace (
{% for total in orders.totals %}
{% set is_last_total = loop.last %}
{% for column in total.columns %}
            struct_extract({{ ("filled_" ~ total.pack) | identifier }}, {{ column | bind }}) as {{ column | identifier }}{% if not (is_last_total and loop.last) %},{% endif %}

{% endfor %}
{% endfor %}
        )
    from spread
{% else %}
    from grouped
{% endif %}
)
