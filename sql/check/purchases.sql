-- Units per order line, by the rule of dbt_project/models/staging/stg_orders.sql, which a trial load does not build.
select
    customer_id,
    ordered_on,
    (case
        when not is_product or (amount < 0 and not is_return) then 0
        when is_return then -coalesce(abs(nullif(quantity, 0)), 1)
        else coalesce(abs(nullif(quantity, 0)), 1)
    end)::double as units
from {{ orders | identifier }}
