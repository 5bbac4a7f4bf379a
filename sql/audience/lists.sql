-- How far a session's lists reach, and how many customers have bought every product there is to recommend.
with chosen as (
    select
        customer_id
        , rank
        , product_id
        , slot
    from {{ table | identifier }}
    where session_id = {{ session_id | bind }}
),

catalogue as (
    select
        count(distinct product_id) as products
        , coalesce(max(rank), 0) as ranks
    from chosen
),

lists as (
    select
        customer_id
        , count(*) as products
        , bool_or(slot = {{ never_bought | bind }}) as has_new
    from chosen
    group by customer_id
)

select
    max(catalogue.ranks) as ranks
    , count(lists.customer_id) as customers
    , count_if(not lists.has_new and lists.products = catalogue.products) as bought_all
from catalogue
cross join lists
