-- To whom an old id belongs, and from when until when. Of two rows of one time the later one counts.
create or replace temp table identity_links as
select
    old_id,
    person,
    valid_from,
    lead(valid_from) over (partition by old_id order by valid_from nulls first) as valid_to
from (
    select
        old_id,
        valid_from,
        arg_max(person, (file_position, line_number)) as person
    from identity_rows
    where reason is null
    group by old_id, valid_from
)
