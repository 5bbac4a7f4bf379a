-- Whether a staged row has the order id of a row that is kept, or none; and whether kept rows that count as nothing hold keys.
select
    exists(
        select 1
        from staged_rows
        semi join {{ orders | identifier }} as kept on staged_rows.order_id = kept.order_id
    ) as shared,
    exists(
        select 1
        from staged_rows
        where order_id is null
    ) as without_order,
    exists(
        select 1
        from {{ rejected | identifier }}
        where source = {{ source | bind }} and reason in ('void_status', 'ignored_status')
    ) as void_rows
