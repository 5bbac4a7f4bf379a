-- Recency, frequency and monetary scores of every customer of one snapshot, 4 best, and the segment they name.
-- NTILE(4) would part customers with equal values by chance. Instead a score counts the quarters of all customers who do
-- strictly worse: equal values get equal scores, one-time buyers always the lowest, and without ties it is NTILE(4).
with placed as (
    select
        customer_id,
        total_spend,
        count(*) over () as customers,
        rank() over (order by days_since_last_order desc nulls first) - 1 as less_recent,
        rank() over (order by total_orders asc nulls first) - 1 as less_frequent,
        rank() over (order by total_spend asc nulls first) - 1 as less_spent
    from {{ features_table | identifier }}
    where snapshot_date = {{ snapshot_date | bind }}::date
),

scored as (
    select
        customer_id,
        (1 + (4 * less_recent) // customers)::integer as r,
        (1 + (4 * less_frequent) // customers)::integer as f,
        -- Who has paid nothing, net of returns, is worth nothing however many others paid less.
        (case when coalesce(total_spend, 0) <= 0.05 then 1 else 1 + (4 * less_spent) // customers end)::integer as m
    from placed
)

select
    customer_id,
    r as r_quartile,
    f as f_quartile,
    m as m_quartile,
    (r + f + m) / 3.0::double as rfm_score,
    'R' || r || 'F' || f || 'M' || m as rfm_code,
    -- Exactly one line holds for each of the 64 combinations, so their order means nothing.
    case
        when r = 4 and f >= 3 and m >= 3 then 'Champions'
        when f >= 3 and (r = 3 or (r = 4 and m <= 2)) then 'Loyal Customers'
        when r >= 3 and f = 2 then 'Potential Loyalists'
        when r = 3 and f = 1 then 'Promising'
        when r = 4 and f = 1 then 'New Customers'
        when r <= 2 and f >= 3 and m >= 3 then 'Cannot lose them'
        when r <= 2 and f <= 2 and m >= 3 then 'High Value Sleeping'
        when r = 2 and f >= 2 and m <= 2 then 'Need attention'
        when m <= 2 and ((r = 2 and f = 1) or (r = 1 and f >= 3)) then 'Hibernating'
        when r = 1 and f <= 2 and m <= 2 then 'Lost customers'
    end as rfm_segment
from scored
order by customer_id
