select
    customer_id,
    -- One refusal for the purpose outweighs every consent.
    bool_and(allowed is null or list_contains({{ granted | bind }}, lower(trim(allowed)))) as is_granted
from {{ consent_table | identifier }}
where
    coalesce(nullif(lower(trim(purpose)), ''), lower({{ purpose | bind }})) = lower({{ purpose | bind }})
    and coalesce(nullif(lower(trim(destination)), ''), {{ destination | bind }}) = {{ destination | bind }}
group by customer_id
