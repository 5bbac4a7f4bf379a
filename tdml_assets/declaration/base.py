"""What every declaration of a source shares.

Belongs here: the base class of the models. Does not: any key (``sources.py``, ``files.py``).
"""

from pydantic import BaseModel, ConfigDict


class Declaration(BaseModel):
    """Frozen, and refusing keys it does not know: a misspelt key must not be a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)
