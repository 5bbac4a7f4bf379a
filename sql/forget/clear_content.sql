update {{ rejected | identifier }}
set content = '{}'
where contains(content, {{ quoted | bind }})
