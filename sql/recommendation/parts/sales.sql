-- Lines that name a product and sell it; the ones to recommend only.
{% if replaced_orders is defined and replaced_orders %}
{% include "features/parts/order_states.sql" %}
,

{% endif %}
sales as (
    select
        customer_id,
        product_id,
        ordered_on,
{% if replaced_orders is defined and replaced_orders %}
        recorded_on,
        replaced_on,
{% endif %}
        coalesce(quantity, 1)::double as quantity
    from {% if replaced_orders is defined and replaced_orders %}states{% else %}{{ orders_table | identifier }}{% endif %}

    where
        ordered_on <= {{ as_of | bind }}::date
        and product_id is not null
        and trim(product_id) <> ''
        and coalesce(quantity, amount) > 0
        and amount >= 0
        and (
        {% for pattern in include %}
            product_id glob {{ pattern | bind }}{% if not loop.last %} or{% endif %}

        {% endfor %}
        )
        {% for pattern in exclude %}
        and not product_id glob {{ pattern | bind }}
        {% endfor %}
)
