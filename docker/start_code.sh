#!/bin/sh
# Prepares the state folder, then serves the definitions; runs are processes of this container.
set -eu
mkdir -p "$DAGSTER_HOME"
cp /app/docker/dagster.yaml "$DAGSTER_HOME/dagster.yaml"
tdml-assets prepare
exec dagster api grpc --host 0.0.0.0 --port 4000 --module-name tdml_assets.definitions --location-name tdml_assets
