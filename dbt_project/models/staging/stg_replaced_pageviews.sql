{{ config(enabled='pageviews' in recorded_sources()) }}
{{ staged_pageviews(source('raw', 'replaced_pageviews'), ['recorded_on', 'replaced_on']) }}
