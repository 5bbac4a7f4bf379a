{{ config(enabled='email_events' in recorded_sources()) }}
{{ staged_email_events(source('raw', 'replaced_email_events'), ['recorded_on', 'replaced_on']) }}
