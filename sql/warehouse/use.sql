use {{ name | identifier }}
