"""What an answer is: the values that the command line, the API and the page all show.

The field names are the JSON of `tekio ask --json` and of `POST /v1/ask`.
"""

from kernel.answer.effort import CacheHit, FinishReason, TraceStep, Usage, total_cost
from kernel.answer.events import AnswerEvent, AskEvent, PassagesEvent, TokenEvent
from kernel.answer.frozen import FrozenModel
from kernel.answer.heard import AnswerConversation, AnswerMemory
from kernel.answer.reports import (
    EnsembleReport,
    FunctionCall,
    MemberAnswer,
    PipelineReport,
    PipelineStep,
    PolicyReport,
    Samples,
)
from kernel.answer.sources import (
    AnswerPassage,
    Citation,
    Claim,
    ClaimStatus,
    Contradiction,
    FoundBy,
    ShortAnswer,
)
from kernel.answer.whole import Answer

__all__ = [
    "Answer",
    "AnswerConversation",
    "AnswerEvent",
    "AnswerMemory",
    "AnswerPassage",
    "AskEvent",
    "CacheHit",
    "Citation",
    "Claim",
    "ClaimStatus",
    "Contradiction",
    "EnsembleReport",
    "FinishReason",
    "FoundBy",
    "FrozenModel",
    "FunctionCall",
    "MemberAnswer",
    "PassagesEvent",
    "PipelineReport",
    "PipelineStep",
    "PolicyReport",
    "Samples",
    "ShortAnswer",
    "TokenEvent",
    "TraceStep",
    "Usage",
    "total_cost",
]
