"""What other rooms may use of vectors."""

from ventures.vectors.ports import VectorStore
from ventures.vectors.records import ALL, SHARED, Held, Kind, Match, Only, Point, Vector, checked

__all__ = ["ALL", "SHARED", "Held", "Kind", "Match", "Only", "Point", "Vector", "VectorStore", "checked"]
