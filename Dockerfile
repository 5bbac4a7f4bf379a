# One image for the code, the webserver and the daemon: compose.yaml starts all three.
FROM python:3.13-slim

# XGBoost and scikit-learn use OpenMP.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.lock requirements-server.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock \
    && pip install --no-cache-dir --no-deps --require-hashes --requirement requirements-server.lock

COPY pyproject.toml README.md LICENSE dagster.yaml workspace.yaml ./
COPY tdml_assets tdml_assets
COPY sql sql
COPY dbt_project dbt_project
COPY docker docker
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .

ENV TDML_HOME=/state \
    DAGSTER_HOME=/state/dagster \
    DAGSTER_DISABLE_TELEMETRY=true \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    DO_NOT_TRACK=1

# The state folder must belong to the user that runs the sessions.
RUN useradd --create-home --uid 1000 tdml && mkdir /state && chown tdml /state /app
USER tdml
VOLUME /state
CMD ["docker/start_code.sh"]
