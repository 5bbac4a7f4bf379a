select fingerprint from {{ builds | identifier }}
