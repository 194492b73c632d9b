"""How a question is answered: what is searched for, what a model is shown, and how long its answer may be."""

from __future__ import annotations

from pydantic import BaseModel, Field

from kernel.answering.parts import MultiQuery
from kernel.conversation.history import FollowUps


class Answering(BaseModel, frozen=True):
    """From the search to the draft."""

    top_k: int = Field(5, ge=1, le=100, description="passages that a question retrieves")
    reranker: str = Field(
        "", description="name or folder of a cross-encoder that ranks the best 50 again; empty: none"
    )
    collapse_copies: bool = Field(True, description="show a text that stands in several documents once")
    diversity: float = Field(
        0.0, ge=0, le=1, description="how much passages that are unlike each other are preferred, 0 to 1"
    )
    merge_neighbours: bool = Field(
        False, description="make one passage of those of a section that follow one another"
    )
    show_parent: bool = Field(
        False, description="show passages with what stands around them in their section"
    )
    parent_characters: int = Field(
        3000, ge=1, le=100_000, description="most characters of its section that are shown around a passage"
    )
    multi_query: MultiQuery = Field(
        "rules",
        description="how the parts of a question are found that are searched for as well: off, rules or model",
    )
    reading: bool = Field(
        True,
        description="let a reading model, which comes with Tekio, find the words that answer, and tell whether there "
        "are any",
    )
    reading_model: str = Field(
        "",
        description="name or folder of another reading model, as `tekio adapt prune-reader` makes; empty: the one "
        "that comes with Tekio",
    )
    entailment: str = Field(
        "",
        description="name or folder of a model of natural language inference that reads whether a passage says what a "
        "sentence of an answer claims; empty: none",
    )
    strict: bool = Field(
        False, description="leave out sentences that no passage supports, rather than mark them"
    )
    follow_ups: FollowUps = Field(
        "rules",
        description="how a question that leans on the turns before it is made to stand alone: off, rules or model",
    )
    conversation_tokens: int = Field(
        1000,
        ge=64,
        le=100_000,
        description="tokens of a conversation that are kept; older turns are summarised",
    )
    memories: int = Field(
        3, ge=0, le=20, description="things remembered that a question recalls; 0 recalls nothing"
    )
    max_new_tokens: int = Field(160, ge=1, le=4096, description="longest answer, in tokens")
    max_prompt_tokens: int = Field(
        1400, ge=256, description="longest prompt, in tokens; low-ranked passages go first"
    )
    example_tokens: int = Field(
        800, ge=32, le=100_000, description="most tokens of a prompt that worked examples may have"
    )
    sample_temperature: float = Field(
        0.7, gt=0, le=2, description="how freely drafts are written that are voted on"
    )
    sample_seed: int = Field(0, ge=0, description="makes drafts that are voted on come out the same again")
    # One, since the default model of 135M parameters mixes up several; measured on data/calibration.
    focus_sentences: int = Field(
        1, ge=0, le=1000, description="best sentences that the model is shown; 0 shows it whole passages"
    )
