-- Syncs whose process ended: only one runs at a time.
update {{ runs | identifier }}
set status = 'interrupted', reason = 'the process ended before the sync did: what was acknowledged is kept'
where destination = {{ destination | bind }} and status = 'running'
