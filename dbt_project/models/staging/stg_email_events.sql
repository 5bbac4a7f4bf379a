{{ staged_email_events(source('raw', 'email_events'), ['recorded_on'] if 'email_events' in recorded_sources() else []) }}
