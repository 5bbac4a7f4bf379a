-- Whether the schema is there, whether the role may do what a sync does, and the role.
select
    to_regnamespace(quote_ident(%(schema)s)) is not null as has_schema
    , case
        when to_regnamespace(quote_ident(%(schema)s)) is null then false
        when %(is_there)s then
            has_table_privilege(to_regclass(%(table)s)::oid, 'select')
            and has_table_privilege(to_regclass(%(table)s)::oid, 'insert')
            and has_table_privilege(to_regclass(%(table)s)::oid, 'update')
            and has_table_privilege(to_regclass(%(table)s)::oid, 'delete')
        else
            has_schema_privilege(to_regnamespace(quote_ident(%(schema)s))::oid, 'usage')
            and has_schema_privilege(to_regnamespace(quote_ident(%(schema)s))::oid, 'create')
    end as may_write
    , current_user as role_name
