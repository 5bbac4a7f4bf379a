{% if has_identifiers %}
left join (
    select
        cast(customer_id as varchar) as customer_id
    {% for column in identifiers %}
        , min({{ column.source | identifier }}) as {{ column.name | identifier }}
    {% endfor %}
    from {{ customers_table | identifier }}
    group by cast(customer_id as varchar)
) as identifiers
    on attributes.customer_id = identifiers.customer_id
{% endif %}
