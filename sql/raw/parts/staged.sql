{# Columns of staged_rows. #}
select
    customer_id,
{% for name, column in outputs %}
{% if money and money.kinds and name in ("product_id", "product_category", "product_name") %}
    case when line_kind = 'product' then {{ column | identifier }} end as {{ name | identifier }},
{% else %}
    {{ column | identifier }} as {{ name | identifier }},
{% endif %}
{% endfor %}
{% if money %}
    cast(case when is_return then -abs(quantity_read) else quantity_read end as decimal(18, 4)) as quantity,
    unit_price_converted as unit_price,
    amount_signed as amount,
    is_return,
    line_kind = 'product' as is_product,
    coupon_used,
{% if money.currency is none %}
    line_currency as staged_currency,
{% endif %}
{% if money.meanings %}
    meaning as staged_meaning,
    meaning_from as staged_meaning_from,
{% endif %}
{% endif %}
{% if money and money.by_order %}
    file_position as staged_file_position,
    order_group as staged_order_group,
{% if "refunded_amount" in money.numbers %}
    refund as staged_refund,
{% endif %}
{% else %}
    {{ layout.position | bind }} as staged_file_position,
{% endif %}
    line_number as row_number,
    reason as staged_reason,
{% if money and money.by_order %}
    {# The content of rejected rows is read again. #}
    cast(null as varchar) as staged_content
{% else %}
    case
        when reason is not null
            then {% include "raw/parts/content.sql" %}

    end as staged_content
{% endif %}
{% if key_columns %}
    ,
    line_key as staged_line_key,
    updated_at as staged_updated_at,
    hash({% for column in content_columns %}{{ column | identifier }}{% if not loop.last %}, {% endif %}{% endfor %}) as staged_content_hash
{% endif %}
from judged
