"""What trains and scores, behind one protocol. Never imports Dagster, opens no connection, reads no clock.

``protocol.py`` holds the words every engine shares: :class:`~tdml_assets.engines.protocol.Tier`,
:class:`~tdml_assets.engines.protocol.FeatureSource`, :class:`~tdml_assets.engines.protocol.ModelSpec`,
:class:`~tdml_assets.engines.protocol.FittedModel` and :class:`~tdml_assets.engines.protocol.Engine`.

An engine reads rows as Arrow record batches, as often as it needs to, so that rows come straight from the warehouse and
no frame is ever built. A fitted model is bytes per file name: whoever stores it hashes those bytes, and whoever loads
it hands over bytes that were verified, so that no parser meets a file that changed after the check.
"""
