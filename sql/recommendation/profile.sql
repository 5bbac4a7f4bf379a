-- Whether every known customer has the ranks they should have.
with lists as (
    select
        customer_id,
        count(*) as ranks,
        count(distinct product_id) as products,
        count(distinct rank) as different_ranks,
        min(rank) as first_rank,
        max(rank) as last_rank,
        count_if(not isfinite(score)) as not_finite,
        bool_or(slot = 'repeat') as has_repeat
    from {{ table | identifier }}
    group by customer_id
),

known as (
    select customer_id
    from {{ features_table | identifier }}
    where snapshot_date = (select max(snapshot_date) from {{ snapshots_table | identifier }} where is_scoring)
)

select
    (select count(*) from {{ table | identifier }}) as row_count,
    (select count(*) from known) as known_customers,
    (select count(*) from known anti join lists on known.customer_id = lists.customer_id) as without_list,
    (select count(*) from lists anti join known on lists.customer_id = known.customer_id) as unknown_customers,
    count(*) as customers,
    count_if(products < ranks) as with_duplicates,
    count_if(different_ranks < ranks or first_rank <> 1 or last_rank <> {{ length | bind }}) as with_wrong_ranks,
    coalesce(sum(not_finite), 0)::bigint as not_finite,
    count_if(not has_repeat) as without_repeat
from lists
