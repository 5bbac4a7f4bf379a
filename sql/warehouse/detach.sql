detach {{ name | identifier }}
