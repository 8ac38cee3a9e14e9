"""What all slot types share: one canonical string, the same in events, in calls and on disk.

A slot type is used as a pydantic field. It validates from its own string or from an instance, and serialises to the
string; what a person typed is read by `agents.slots.grammar`, never here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Kind:
    """Marks an ``Annotated`` field with the kind of span that may fill it: ``Annotated[date, Kind("day")]``."""

    name: str


class Written:
    """A value with one canonical spelling. Subclasses give ``kind``, ``example``, ``read`` and ``__str__``."""

    kind: ClassVar[str]
    example: ClassVar[str]

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the value of a canonical string.

        Raises:
            ValueError: The string is not canonical; the message shows one that is.
        """
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take an instance or its canonical string; write the string."""
        read = core_schema.no_info_after_validator_function(cls.read, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=read,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), read]),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the string to whoever fills a schema."""
        return {"type": "string", "title": cls.__name__, "examples": [cls.example]}
