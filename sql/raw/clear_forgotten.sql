-- Rows that were set aside for another reason keep it, and lose their content. They are found by the person that the load made of
-- them, whose id may be written in another way in the file.
update {{ rejected | identifier }} as rejected
set content = '{}'
where
    rejected.source = {{ source | bind }}
    and (rejected.file, rejected.row_number) in (
        select (list_extract({{ files | bind }}::varchar[], staged.staged_file_position + 1), staged.row_number)
        from staged_rows as staged
        where
{% with subject = ["staged", "customer_id"] %}
            {% include "raw/parts/is_forgotten.sql" %}

{% endwith %}
    )
