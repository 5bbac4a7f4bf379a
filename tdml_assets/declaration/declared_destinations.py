"""The settings section ``destinations``: the exports, and every other destination under a name of its own.

Elsewhere: the keys of a destination (``destinations.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from tdml_assets.declaration.base import Declaration
from tdml_assets.declaration.destinations import (
    AsksPermission,
    DestinationSettings,
    Mode,
    UnknownConsent,
    read_destination,
)


class FilesDestination(Declaration):
    """Parquet and CSV under ``exports_url``."""

    #: An export holds every customer who may be in it, and takes the place of the one before.
    mode: ClassVar[Mode] = "replace"
    needs_purpose: ClassVar[bool] = False

    keep: int = Field(default=12, ge=1, description="Exports kept, the latest among them.")
    purpose: str | None = Field(
        default=None,
        min_length=1,
        description="What customers must have consented to, as sources.consent names it; lines of every purpose count unless "
        "given.",
    )
    unknown_consent: UnknownConsent = Field(
        default="deny",
        description="What a customer without a line for the purpose counts as, where sources.consent is declared.",
    )


def _below(name: str, fault: ErrorDetails) -> InitErrorDetails:
    """A fault of a destination's section, at its place in the file."""
    is_unknown = fault["type"] == "extra_forbidden"
    words = PydanticCustomError("destination", "{words}", {"words": fault["msg"].removeprefix("Value error, ")})
    return InitErrorDetails(
        type="extra_forbidden" if is_unknown else words, loc=(name, *fault["loc"]), input=fault.get("input")
    )


class Destinations(Declaration):
    """Systems that attributes are sent to: the exports, and each other one under a name of its own."""

    model_config = ConfigDict(extra="allow")

    files: FilesDestination | None = FilesDestination()

    @model_validator(mode="before")
    @classmethod
    def _read_others(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        read: dict[str, Any] = {}
        faults: list[InitErrorDetails] = []
        for name, section in content.items():
            try:
                read[name] = section if name in cls.model_fields else read_destination(str(name), section)
            except ValidationError as error:
                faults += [_below(str(name), fault) for fault in error.errors()]
            except ValueError as error:
                wrong = PydanticCustomError("destination", "{words}", {"words": str(error)})
                faults.append(InitErrorDetails(type=wrong, loc=(str(name),), input={}))
        if faults:
            raise ValidationError.from_exception_data(cls.__name__, faults, hide_input=True)
        return read

    @property
    def others(self) -> dict[str, DestinationSettings]:
        """All but the exports, by name."""
        return dict(self.model_extra or {})

    @property
    def asking(self) -> dict[str, AsksPermission]:
        """All that ask the lists of consent and suppression, by name: the exports, unless they are off, and the others."""
        files = {} if self.files is None else {"files": self.files}
        return {**files, **self.others}
