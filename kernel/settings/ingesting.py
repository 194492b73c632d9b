"""How documents are taken in: read, cut into chunks and embedded."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Ingesting(BaseModel, frozen=True):
    """Chunks, and the bounds of reading."""

    chunk_tokens: int = Field(
        224, ge=32, le=8192, description="longest chunk with its headings, in embedder tokens"
    )
    chunk_strategy: Literal["structure", "fixed", "sentence_window", "parent_child"] = Field(
        "structure", description="how documents are cut: structure, fixed, sentence_window or parent_child"
    )
    chunk_overlap: int = Field(
        1, ge=0, le=20, description="sentences repeated where a chunk begins within a paragraph"
    )
    chunk_window: int = Field(
        3, ge=0, le=50, description="sentences that sentence_window shows before and after the one found"
    )
    chunk_child_tokens: int = Field(96, ge=8, le=8192, description="longest piece that parent_child searches")
    chunk_parent_tokens: int = Field(
        900, ge=32, le=100_000, description="longest text that is shown in place of a small piece"
    )
    readers: int = Field(
        0, ge=0, le=64, description="processes that read files; 0 takes one for each two processors"
    )
    reader_seconds: float = Field(300, gt=0, description="longest time that one file may be read for")
    reader_memory_mb: int = Field(2048, ge=256, description="most memory that a reading process may have")
    max_file_mb: int = Field(512, ge=1, description="largest file that is read")
    max_characters: int = Field(20_000_000, ge=1000, description="longest text that a file may hold")
    ocr: bool = Field(False, description="read pages without text by tesseract, where it is installed")
    ocr_languages: str = Field(
        "jpn+eng", pattern=r"^[A-Za-z_]+(\+[A-Za-z_]+)*$", description="tesseract's names of languages"
    )
    token_vectors: bool = Field(
        True,
        description="keep the vectors of the passages' tokens, a bit a value, by which the best are ranked again",
    )
