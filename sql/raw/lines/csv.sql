    {# A header is read as a row like any other, so that the loader and the check of the header see the same one. #}
    select *
    from (
        select
            row_number() over () - cast({{ csv.header | bind }} as integer) as line_number,
            *
{% include "raw/parts/folder_values.sql" %}
        from {% include "raw/parts/csv_rows.sql" %}

    )
    where line_number > 0
