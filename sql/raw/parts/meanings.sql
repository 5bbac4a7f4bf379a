{# What a row's status means, and what kind of line it is. #}
meant as (
    select
        rows_read.*,
{% if money.meanings or money.others %}
        case
{% for other in money.others %}
{% for status, meaning in other.exact %}
            when lower({{ other.column | identifier }}) = lower({{ status | bind }}) then {{ meaning | bind }}
{% endfor %}
{% for pattern, meaning in other.patterns %}
            when lower({{ other.column | identifier }}) like lower({{ pattern | bind }}) escape '\' then {{ meaning | bind }}
{% endfor %}
{% if other.empty is not none %}
            when {{ other.column | identifier }} is null then {{ other.empty | bind }}
{% endif %}
{% endfor %}
{% if not money.meanings %}
            else 'sale'
        end as meaning,
{% endif %}
{% endif %}
{% if money.meanings %}
            when named.is_declared then named.meaning
{% if money.meanings.empty is not none %}
            when status_given is null then {{ money.meanings.empty | bind }}
{% endif %}
{% for pattern, meaning in money.meanings.patterns %}
            when lower(status_given) like lower({{ pattern | bind }}) escape '\' then {{ meaning | bind }}
{% endfor %}
            -- What takes money back is not the sale that came to nothing: the sale is another row.
            when named.meaning = 'void' and (quantity_double < 0 or total_double < 0) then 'return'
            else coalesce(named.meaning, 'sale')
        end as meaning,
        case
{% for other in money.others %}
{% for status, meaning in other.exact %}
            when lower({{ other.column | identifier }}) = lower({{ status | bind }}) then 'declared'
{% endfor %}
{% for pattern, meaning in other.patterns %}
            when lower({{ other.column | identifier }}) like lower({{ pattern | bind }}) escape '\' then 'declared'
{% endfor %}
{% endfor %}
            when named.is_declared then 'declared'
{% if money.meanings.empty is not none %}
            when status_given is null then 'declared'
{% endif %}
{% for pattern, meaning in money.meanings.patterns %}
            when lower(status_given) like lower({{ pattern | bind }}) escape '\' then 'declared'
{% endfor %}
            when named.meaning is not null then 'common'
            else 'none'
        end as meaning_from,
{% elif not money.others %}
        'sale' as meaning,
{% endif %}
{% if money.kinds %}
        case
{% for code, kind, is_spend in money.kinds.exact %}
            when lower(kind_given) = lower({{ code | bind }}) then {{ kind | bind }}
{% endfor %}
{% for pattern, kind, is_spend in money.kinds.patterns %}
            when lower(kind_given) like lower({{ pattern | bind }}) escape '\' then {{ kind | bind }}
{% endfor %}
            else 'product'
        end as line_kind,
        case
{% for code, kind, is_spend in money.kinds.exact %}
            when lower(kind_given) = lower({{ code | bind }}) then {{ is_spend | bind }}
{% endfor %}
{% for pattern, kind, is_spend in money.kinds.patterns %}
            when lower(kind_given) like lower({{ pattern | bind }}) escape '\' then {{ is_spend | bind }}
{% endfor %}
            else true
        end as is_spend
{% else %}
        'product' as line_kind
{% endif %}
    from {% if money.by_order %}carried{% else %}dated{% endif %} as rows_read
{% if money.meanings %}
    left join (
        select
            status_key,
            arg_max(meaning, is_declared) as meaning,
            bool_or(is_declared) as is_declared
        from (
            select
                lower(unnest({{ money.meanings.keys | list | bind }}::varchar[])) as status_key,
                unnest({{ money.meanings.values | list | bind }}::varchar[]) as meaning,
                unnest({{ money.meanings.declared | list | bind }}::boolean[]) as is_declared
        )
        group by status_key
    ) as named
        on lower(rows_read.status_given) = named.status_key
{% endif %}
)
