"""``python -m tdml_assets``."""

from tdml_assets.cli import app

if __name__ == "__main__":
    app()
