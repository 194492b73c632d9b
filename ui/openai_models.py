"""What OpenAI's addresses take and give. Requests hold what is understood here; what else is sent is passed over."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kernel.answer import AnswerPassage, Citation, EnsembleReport, PipelineReport, PolicyReport
from kernel.composed.describing import VariantDescription
from retrieval.errors import UsageError
from ui.rest_models import MULTI, WHERE


class UnsupportedError(UsageError):
    """A part of the request that would change the answer, and is not known here. `param` names it."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


class _Lenient(BaseModel):
    # Clients send what other servers know. What was sent stays out of logs.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class ContentPart(_Lenient):
    """A part of a message; text alone is read."""

    type: str
    text: str | None = None


class ChatMessage(_Lenient):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None


class StreamOptions(_Lenient):
    """What a stream brings beside the answer."""

    include_usage: bool | None = Field(None, description="true: a last piece with the tokens")


class TekioOptions(BaseModel):
    """What OpenAI's protocol has no word for; of the request's field `tekio`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    technique: str | None = Field(None, description="how the prompt is built; see /v1/variants")
    top_k: int | None = Field(None, ge=1, le=100, description="passages to retrieve")
    language: str | None = Field(None, description="`en` or `ja`; the question's own unless given")
    where: list[str] = Field([], max_length=20, description=WHERE)
    multi_query: str | None = Field(None, description=MULTI)
    strict: bool | None = Field(None, description="true: leave out sentences that no passage supports")
    conversation: str = Field(
        "",
        max_length=200,
        description="its name, which brings what is remembered for it alone; its turns are the messages, and none is "
        "kept",
    )
    memory: bool = Field(True, description="false recalls nothing that is remembered")
    cache: bool = Field(True, description="false: answer anew, and store nothing")
    sources: bool = Field(True, description="false: no list of sources at the end of the text")


class ChatRequest(_Lenient):
    """A conversation whose last message is the question. Sampling parameters are passed over: answers are greedy."""

    model: str = Field(max_length=200, description="a variant, see /v1/models", examples=["base"])
    messages: list[ChatMessage] = Field(
        min_length=1,
        max_length=5000,
        description="the last is the user's question; those before it are the conversation. System messages are passed "
        "over, since the prompt is Tekio's own",
        examples=[[{"role": "user", "content": "How long is the warranty?"}]],
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, description="longest answer; the setting at most")
    max_completion_tokens: int | None = Field(None, ge=1, description="the same by its newer name")
    n: int | None = Field(None, description="1; more is refused")
    tools: list[Any] | None = Field(None, description="refused unless empty, or tool_choice is none")
    functions: list[Any] | None = Field(None, description="refused unless empty")
    tool_choice: Any = None
    response_format: dict[str, Any] | None = Field(None, description="text; other forms are refused")
    stop: str | list[str] | None = Field(None, description="refused unless empty")
    logprobs: bool | None = Field(None, description="refused when true")
    tekio: TekioOptions = TekioOptions()


class ChatTokens(BaseModel):
    """Of `prompt_tokens`."""

    cached_tokens: int = Field(0, description="what a stored answer had taken")


class ChatUsage(BaseModel):
    """Tokens by the generating model's own tokenizer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: ChatTokens = ChatTokens()


class TekioPart(BaseModel):
    """What is known of an answer beside its text."""

    citations: list[Citation] = Field(description="places in documents that support the answer")
    passages: list[AnswerPassage]
    refused: bool
    confidence: float
    unsupported: list[str]
    variant: str
    technique: str
    language: str
    asked: str
    notices: list[str]
    finish_reason: str = Field(description="in Tekio's own words, as of /v1/ask")
    timings_ms: dict[str, float]
    ensemble: EnsembleReport | None = Field(None, description="set where an ensemble answered")
    pipeline: PipelineReport | None = Field(None, description="set where a pipeline answered")
    policy: PolicyReport | None = Field(None, description="set where a policy chose who answers")


class AssistantMessage(BaseModel):
    """The answer, with its sources as a list at the end."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one choice there is."""

    index: int = 0
    message: AssistantMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class ChatCompletion(BaseModel):
    """An answer as a chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(description="seconds since 1970")
    model: str = Field(description="the variant that answered")
    choices: list[Choice]
    usage: ChatUsage
    tekio: TekioPart


class EmbeddingsRequest(_Lenient):
    """Texts to embed."""

    model: str = Field(max_length=200, description="the embedder, see /v1/models")
    input: str | list[str] | list[int] | list[list[int]] = Field(
        description="a text or several, 256 at most; token numbers, which are another model's, are refused",
        examples=["The kiln is fired for nine hours."],
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, description="those of the embedder; others are refused")
    input_type: Literal["passage", "query"] = Field(
        "passage", description="what the texts are, for embedders that tell them apart"
    )


class Embedding(BaseModel):
    """A vector of length one."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="numbers, or float32 in base64, least byte first")


class EmbeddingsUsage(BaseModel):
    """Tokens by the embedder's own tokenizer."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    """Vectors, in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage


class Model(BaseModel):
    """Who can answer, or what embeds."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="when this server was started, in seconds since 1970")
    owned_by: Literal["tekio"] = "tekio"
    kind: Literal["answers", "embeddings"] = Field(description="for /v1/chat/completions, or /v1/embeddings")
    default: bool = Field(False, description="whether it answers where nobody is asked for by name")
    variant: VariantDescription | None = Field(None, description="of one that answers: what it is")


class Models(BaseModel):
    """The variants and the embedder."""

    object: Literal["list"] = "list"
    data: list[Model]


class OpenAIError(BaseModel):
    """What went wrong, as OpenAI's clients read it."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIErrorResponse(BaseModel):
    """An error of OpenAI's addresses."""

    error: OpenAIError
