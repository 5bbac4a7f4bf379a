-- Lines that name a product and sell it; the ones to recommend only.
sales as (
    select
        customer_id,
        product_id,
        ordered_on,
        coalesce(quantity, 1)::double as quantity
    from {{ orders_table | identifier }}
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
