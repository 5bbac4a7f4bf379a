{{ config(enabled=recorded_sources() | length > 0) }}
{{ rows_as_known('email_events', 'sent_on') }}
