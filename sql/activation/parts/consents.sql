select
    customer_id,
    -- One refusal for the purpose outweighs every consent. Without a purpose every line counts.
    bool_and(allowed is null or list_contains({{ granted | bind }}, lower(trim(allowed)))) as is_granted
from {{ consent_table | identifier }}
where
    (
        nullif(trim(purpose), '') is null
        or {{ purpose | bind }}::varchar is null
        or lower(trim(purpose)) = lower({{ purpose | bind }}::varchar)
    )
    and coalesce(nullif(lower(trim(destination)), ''), {{ destination | bind }}) = {{ destination | bind }}
group by customer_id
