"""``python -m tdml_assets``."""

from tdml_assets.commands.app import app

if __name__ == "__main__":
    app()
