-- Groups of customers side by side: how many they are, what they spent, and the middle of every feature asked for.
-- Comparisons rest on sign(x) ln(1 + |x|): a mean of raw money belongs to its largest customer.
with labelled as (
    select
        labels.{{ group | identifier }}::varchar as label,
        features.total_spend::double as spend{% for column in columns %},
        features.{{ column | identifier }}::double
            as {{ ("v" ~ loop.index0) | identifier }},
        (sign(features.{{ column | identifier }}) * ln(1 + abs(features.{{ column | identifier }})))::double
            as {{ ("log" ~ loop.index0) | identifier }}
{%- endfor %}

    from {{ labels_table | identifier }} as labels
    inner join {{ features_table | identifier }} as features
        on labels.as_of = features.snapshot_date
        and labels.customer_id = features.customer_id
    where true
    {% for column, value in where.items() %}
        and labels.{{ column | identifier }} = {{ value | bind }}
    {% endfor %}
)

select
    label,
    count(*) as customers,
    count(*)::double / sum(count(*)) over () as share,
    sum(spend) as spend,
    sum(spend) / nullif(sum(sum(spend)) over (), 0) as spend_share{% for column in columns %}{% set slot = loop.index0 %},
    count({{ ("v" ~ slot) | identifier }}) as {{ ("n" ~ slot) | identifier }},
    avg({{ ("v" ~ slot) | identifier }}) as {{ ("mean" ~ slot) | identifier }},
    quantile_cont({{ ("v" ~ slot) | identifier }}, 0.5) as {{ ("median" ~ slot) | identifier }},
    avg({{ ("log" ~ slot) | identifier }}) as {{ ("log_mean" ~ slot) | identifier }},
    var_pop({{ ("log" ~ slot) | identifier }}) as {{ ("log_variance" ~ slot) | identifier }}
{%- endfor %}

from labelled
group by label
order by label
