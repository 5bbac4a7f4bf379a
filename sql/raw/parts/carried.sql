{# An empty column of a line takes the value of the nearest line before it in its order, else of the next one behind it. #}
packed as (
    select
        *,
{% for group in orders.carried %}
        case
            when {{ group.given | identifier }} is not null
                then struct_pack({% for column in group.columns %}{{ column | identifier }} := {{ column | identifier }}{% if not loop.last %}, {% endif %}{% endfor %})
        end as {{ group.pack | identifier }},
{% endfor %}
        {{ orders.order_column | identifier }} as order_key,
        {# A row without an order is an order of its own. #}
        case when {{ orders.order_column | identifier }} is null then read_place end as lone_place
    from order_rows
),
filled as (
    select
{% for group in orders.carried %}
        coalesce(
            last_value({{ group.pack | identifier }} ignore nulls) over so_far,
            first_value({{ group.pack | identifier }} ignore nulls) over rest
        ) as {{ ("filled_" ~ group.pack) | identifier }},
{% endfor %}
        *
    from packed
{% if orders.carried %}
    window
        so_far as (
            partition by order_key, lone_place order by read_place
            rows between unbounded preceding and current row
        ),
        rest as (
            partition by order_key, lone_place order by read_place
            rows between current row and unbounded following
        )
{% endif %}
),
{% set is_scaled = money.units and money.is_scaled_by_order %}
{% if is_scaled %}unscaled{% else %}carried{% endif %} as (
    select
        *
{% if orders.carried %}
        replace (
{% for group in orders.carried %}
{% set is_last_group = loop.last %}
{% for column in group.columns %}
            struct_extract({{ ("filled_" ~ group.pack) | identifier }}, {{ column | bind }}) as {{ column | identifier }}{% if not (is_last_group and loop.last) %},{% endif %}

{% endfor %}
{% endfor %}
        )
{% endif %}
    from filled
)
{% if is_scaled %}
,
-- Amounts in the smallest unit of their currency, which may stand on another line of the order.
carried as (
    select
        * exclude (line_unit)
        replace (
{% for figure in money.figures if figure.is_money %}
            {{ figure.double | identifier }} * line_unit as {{ figure.double | identifier }},
            try_cast(cast({{ figure.read | identifier }} as decimal(38, 6)) * line_unit as {{ figure.type | sql_type }})
                as {{ figure.read | identifier }},
{% endfor %}
            total_double * line_unit as total_double,
            try_cast(cast(total_read as decimal(38, 6)) * line_unit as decimal(18, 4)) as total_read
        )
    from (
        select
            *,
            {% include "raw/parts/line_unit.sql" %} as line_unit
        from unscaled
    )
)
{% endif %}
