-- Rows that were set aside and hold one of the ids as a value, whether it is written as text or as a number.
update {{ rejected | identifier }}
set content = '{}'
where exists (
    select 1
    from (select unnest({{ customers | bind }}::varchar[]) as customer_id) as given
    where
        contains(lower(content), lower(cast(to_json(given.customer_id) as varchar)))
        or regexp_matches(content, ':\s*' || regexp_escape(given.customer_id) || '\s*[,}\]]')
)
