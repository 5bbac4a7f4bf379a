-- Per file of orders up to as_of: lines with money, those whose amount has no decimals, and the mean of the amounts' decimal logarithms.
select
    file,
    count(*)::bigint as lines,
    count(*) filter (where amount = trunc(amount))::bigint as whole_lines,
    avg(log10(abs(amount::double))) as level
from {{ orders | identifier }}
where ordered_on <= {{ as_of | bind }} and amount <> 0
group by file
order by file
