-- Customers by their band in two exports of the published attributes; who is in one of them only is in no band of the other.
with before as (
    select
        customer_id
        , cast({{ band | identifier }} as varchar) as band
    from read_parquet({{ before | bind }})
)

, now as (
    select
        customer_id
        , cast({{ band | identifier }} as varchar) as band
    from read_parquet({{ now | bind }})
)

select
    coalesce(before.band, '') as band_before
    , coalesce(now.band, '') as band_now
    , count(*) as customers
from before
full join now on before.customer_id = now.customer_id
where before.band is not null or now.band is not null
group by 1, 2
order by 1, 2
