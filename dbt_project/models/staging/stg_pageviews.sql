{{ staged_pageviews(source('raw', 'pageviews'), ['recorded_on'] if 'pageviews' in recorded_sources() else []) }}
