"""What a workflow's YAML may say about a classification.

Elsewhere: measures and rules (``tasks/parts/classification.py``).
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Classification(BaseModel):
    """How a probability becomes a decision, and what training demands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="Probability from which a customer is called positive in accuracy, precision, recall and F1.",
    )
    grades: dict[str, float] = Field(
        default={"A": 75.0, "B": 50.0, "C": 25.0, "D": 0.0},
        description="Lowest score, 0 to 100, of each grade; from the highest to the lowest, which is 0.",
    )
    min_positives: int = Field(
        default=50, ge=1, description="Rows with the event that every split must have; 5 where it only ends a fit."
    )
    min_negatives: int = Field(
        default=50, ge=1, description="Rows without the event that every split must have; 5 where it only ends a fit."
    )
    auc_limit: float = Field(
        default=0.95,
        gt=0.5,
        le=1,
        description="A model that ranks the test split better than this is held as a suspected leak; 1 for no limit.",
    )

    @field_validator("grades")
    @classmethod
    def _can_grade(cls, grades: dict[str, float]) -> dict[str, float]:
        if not grades:
            raise ValueError("no grades are given: give at least one, whose lowest score is 0")
        plain = [name.strip().casefold() for name in grades]
        if not all(plain):
            raise ValueError("a grade has an empty name: give every grade a name")
        twice = sorted({name for name in plain if plain.count(name) > 1})
        if twice:
            raise ValueError(
                f"grades {twice} are named twice, but for case or spaces: give every grade a name of its own"
            )
        for name, lowest in grades.items():
            if not 0 <= lowest <= 100:
                raise ValueError(f"grade {name} starts at {lowest:g}: scores go from 0 to 100")
        for (name, lowest), (below, next_lowest) in pairwise(grades.items()):
            if not lowest > next_lowest:
                raise ValueError(
                    f"grade {below} starts at {next_lowest:g}, which is not below the {lowest:g} of {name} before it: "
                    "list the grades from the highest to the lowest"
                )
        last = list(grades)[-1]
        if grades[last] != 0:
            raise ValueError(
                f"the last grade, {last}, starts at {grades[last]:g}: it must start at 0, to hold everybody"
            )
        return grades

    @property
    def grade_steps(self) -> tuple[tuple[str, float], ...]:
        """Grades and their lowest scores, the highest first: ``grades`` of ``sql/predictions/classification.sql``."""
        return tuple((name, float(lowest)) for name, lowest in self.grades.items())
