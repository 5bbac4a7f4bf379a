-- Features of labelled snapshots with the target observed after each, and the split.
with roles as (
    select
        unnest({{ dates | bind }}::date[]) as snapshot_date,
        unnest({{ roles | bind }}::varchar[]) as role
),

-- A stable hash, so that a customer falls on the same side in every session.
customers as (
    select
        customer_id,
        (md5_number_lower('split:' || customer_id) % 1000000)::double / 1000000 as split_draw,
        (md5_number_lower('sample:' || customer_id) % 1000000)::double / 1000000 as sample_draw
    from {{ features_table | identifier }}
    where snapshot_date in (select roles.snapshot_date from roles)
    group by customer_id
),

{% include "training_table/parts/observed.sql" %}


select
    features.snapshot_date,
    features.customer_id,
    case
        when roles.role = 'by_customers' and customers.split_draw < {{ holdout_share | bind }} then 'test'
        when roles.role = 'by_customers' and customers.split_draw < 2 * {{ holdout_share | bind }} then 'validation'
        when roles.role = 'train_and_validate' and customers.split_draw < {{ holdout_share | bind }} then 'validation'
        when roles.role in ('by_customers', 'train_and_validate') then 'train'
        else roles.role
    end as split,
    {% include "training_table/parts/target.sql" %} as target{% for column in columns %},
    features.{{ column | identifier }}
{%- endfor %}

from {{ features_table | identifier }} as features
inner join roles on features.snapshot_date = roles.snapshot_date
inner join customers on features.customer_id = customers.customer_id
left join observed
    on features.snapshot_date = observed.snapshot_date
    and features.customer_id = observed.customer_id
where customers.sample_draw < {{ sample_share | bind }}
