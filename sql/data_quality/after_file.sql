-- Order lines dated after the file that holds them was last written, per such file.
with written as (
    select
        unnest({{ files | bind }}) as file,
        unnest({{ bounds | bind }}) as bound
)

select
    lines.file,
    count(*) as late_lines,
    max(lines.ordered_on) as latest_on
from {{ orders | identifier }} as lines
inner join written on lines.file = written.file
where
    lines.ordered_at > {{ earliest_bound | bind }}
    and lines.ordered_at > written.bound
group by lines.file
order by 2 desc, 1
