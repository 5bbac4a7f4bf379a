describe {{ table | identifier }}
