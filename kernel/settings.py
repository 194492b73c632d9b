"""Settings: from `tekio.toml` in the working folder, then from TEKIO_* variables, which win.

Read here and handed on as plain arguments by `kernel/app.py`; no other room reads them.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from kernel.answer import BASE, EXTRACTIVE, Technique
from kernel.answering.parts import MultiQuery
from kernel.composed.circles import check_acyclic
from kernel.conversation.history import FollowUps
from kernel.ensembles.settings import TOKEN_RULES, EnsembleSettings
from kernel.functions.ability import FunctionCalling
from kernel.pipelines.checks import Surroundings, check_pipelines
from kernel.pipelines.settings import PipelineSettings
from kernel.policies.settings import PolicySettings
from kernel.variant_settings import Precision, VariantSettings, check_variant_names
from plugins.external.attachment import Attachment, check_names
from plugins.prompt_folders import prompt_folders
from retrieval.errors import UsageError
from retrieval.stores.opening import Place, beside, is_address

SETTINGS_FILE = "tekio.toml"


class Settings(BaseSettings):
    """Everything that can be set. Each field is the environment variable TEKIO_<NAME> too."""

    model_config = SettingsConfigDict(
        env_prefix="TEKIO_", toml_file=SETTINGS_FILE, extra="forbid", frozen=True
    )

    index: Path = Field(Path(".tekio/index"), description="folder of the index")
    store: str = Field(
        "",
        description="address of the index where it is in no folder: postgresql://… or qdrant://…",
    )
    uploads: Path | None = Field(
        None,
        description="folder of the files that were uploaded; unset: beside the index, or .tekio/uploads",
    )
    max_upload_mb: int = Field(
        100, ge=1, le=100_000, description="most that one upload may be, all its files"
    )
    jobs: Path = Field(Path(".tekio/jobs"), description="folder of the jobs that the API started")
    job_roots: list[Path] = Field(
        [],
        description="folders below which jobs of the API may read: documents to ingest, training sets, questions",
    )
    memory: Path = Field(Path(".tekio/memory"), description="folder of the semantic memory")
    examples: Path = Field(
        Path(".tekio/examples"), description="folder of the worked examples that were added"
    )
    edit_examples: bool = Field(
        False, description="let the API list, add and delete worked examples, which hold text of documents"
    )
    prompts: list[Path] = Field(
        [Path(".tekio/prompts")], description="folders whose folders are prompt functions"
    )
    adapters: Path = Field(
        Path(".tekio/adapters"), description="folder in which a variant's name is an adapter folder"
    )
    embedders: Path = Field(
        Path(".tekio/embedders"),
        description="folder in which an embedder's name is a folder that was trained",
    )
    cache: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("tekio") / "models",
        description="folder of the models",
    )
    offline: bool = Field(False, description="never fetch a model")
    embedder: str = Field(
        "multilingual-e5-small", description="name or folder of the embedding model, or of one in `embedders`"
    )
    embedder_engine: str = Field(
        "auto",
        description="what computes the embedder: auto, torch, torch-int8, onnx, onnx-int8, openvino, openvino-bf16 "
        "or openvino-int8",
    )
    generator: str = Field("SmolLM2-135M-Instruct", description="name or folder of the base language model")
    generator_languages: list[str] = Field(["en"], description="languages that the base model speaks")
    variant: str = Field("base", description="who generates when a request does not say")
    variants: dict[str, VariantSettings] = Field(
        {}, description="variants that other engines compute, a table [variants.NAME] each"
    )
    ensembles: dict[str, EnsembleSettings] = Field(
        {}, description="variants that make one answer of several members', a table [ensembles.NAME] each"
    )
    pipelines: dict[str, PipelineSettings] = Field(
        {}, description="variants that answer in steps, a table [pipelines.NAME] each"
    )
    policies: dict[str, PolicySettings] = Field(
        {}, description="variants that choose who answers each question, a table [policies.NAME] each"
    )
    policy_files: Path = Field(
        Path(".tekio/policies"), description="folder of the trained policies, one folder each"
    )
    trial_variant: str | None = Field(
        None, description="who generates for a share of the requests that do not say, blind, to be compared"
    )
    trial_share: float = Field(0.5, ge=0, le=1, description="share of the requests that `trial_variant` gets")
    technique: Technique = Field(
        Technique.ZERO_SHOT, description="how the prompt is built when a request does not say"
    )
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
    user_header: str = Field(
        "",
        pattern=r"^[A-Za-z0-9-]*$",
        description="header in which a proxy that has checked the user names them; empty: users are not told apart",
    )
    groups_header: str = Field(
        "", pattern=r"^[A-Za-z0-9-]*$", description="header with the user's groups, with commas between them"
    )
    oidc_issuer: str = Field(
        "", description="address of an OpenID Connect issuer whose tokens say who asks; empty: none is taken"
    )
    oidc_audience: str = Field(
        "", validate_default=True, description="whom the issuer's tokens must be for, their claim aud"
    )
    oidc_user_claim: str = Field("sub", min_length=1, description="the claim that is the user's name")
    oidc_groups_claim: str = Field(
        "groups", description="the claim that lists the user's groups; empty: none"
    )
    user_scope: Literal["read", "write"] = Field(
        "write", description="what users whom a proxy or a token names may do: read, or write as well"
    )
    admins: list[Annotated[str, Field(pattern="^(user|group):.+$")]] = Field(
        [], description="users and groups who may do everything over the API, as user:NAME and group:NAME"
    )
    requests_per_minute: int = Field(
        600, ge=0, description="requests that a key or user may send a minute to a server; 0: any"
    )
    cors_origins: list[Annotated[str, Field(pattern=r"^https?://[^/*\s]+$")]] = Field(
        [],
        description="web sites whose pages may use the API, as https://intranet.example; none unless named",
    )
    audit_log: Path | None = Field(
        None,
        description="file with a line of JSON for each request: who asked, and which documents were shown",
    )
    audit_log_mb: int = Field(10, ge=1, le=10_000, description="megabytes from which that file is put aside")
    audit_log_files: int = Field(10, ge=1, le=10_000, description="files put aside that are kept")
    stop_seconds: float = Field(
        20,
        ge=0,
        le=3600,
        description="longest time that answers under way may take when `tekio serve` is stopped",
    )
    unread_seconds: float = Field(
        60,
        ge=1,
        le=86_400,
        description="time after which `tekio serve` cuts a connection whose client reads nothing of what it is sent",
    )
    request_seconds: float = Field(
        30,
        ge=1,
        le=86_400,
        description="time that a client of `tekio serve` has for the head of a request and each next piece of its body",
    )
    max_connections: int = Field(
        1000,
        ge=10,
        le=100_000,
        description="open connections from which `tekio serve` cuts those that have waited longest for a request",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="what `tekio serve` logs; info has a line for each request"
    )
    log_format: Literal["plain", "json"] = Field(
        "plain", description="how it does: for people, or JSON lines"
    )
    redact_logs: bool = Field(
        False, description="keep e-mail addresses, telephone and other numbers of questions out of logs"
    )
    function_calling: FunctionCalling = Field(
        "auto",
        description="whether the language model calls functions: off, on, or auto, where its chat template takes tools",
    )
    function_calls: int = Field(3, ge=1, le=10, description="most calls for one question")
    own_functions: list[Literal["calculator", "dates"]] = Field(
        ["calculator", "dates"], description="functions of Tekio's own that can be called"
    )
    functions: list[Attachment] = Field(
        [],
        description="OpenAPI descriptions and MCP servers that are attached, a table [[functions]] each",
    )
    mcp_functions: list[str] = Field(
        ["search", "ask", "documents", "read"],
        description="what MCP clients are offered: search, ask, documents, read, and the functions of Tekio's own",
    )
    generator_engine: Literal["auto", "openvino", "torch", "transformers"] = Field(
        "auto",
        description="what computes the language model: openvino, or torch on a GPU, which serve many at once, "
        "transformers, or auto",
    )
    precision: Precision = Field(
        "auto",
        description="weights of the language model in openvino, where auto is int8, and in torch, where it is as dtype",
    )
    dtype: str = Field(
        "auto",
        pattern="^(auto|float32|bfloat16)$",
        description="weights of the language model in torch and transformers",
    )
    slots: int = Field(8, ge=1, le=1024, description="questions that the language model answers at a time")
    queue: int = Field(64, ge=1, le=100_000, description="questions that may wait for the language model")
    answer_seconds: float = Field(
        120, ge=0, description="longest time that the language model may take for an answer; 0: any"
    )
    kv_cache_mb: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="memory for what the language model has read, and keeps; 0: what is left of a GPU, else 512",
    )
    gpu_memory_share: float = Field(
        0.9, gt=0, le=1, description="share of a GPU's memory that all models together may take"
    )
    guessed_tokens: int = Field(
        8, ge=0, le=64, description="most tokens that are guessed ahead and checked in one step; 0: none"
    )
    draft: str = Field(
        "",
        description="name or folder of a smaller model of the same words that guesses ahead; empty: guesses are looked "
        "up in the prompt",
    )
    threads: int = Field(0, ge=0, description="threads of the models; 0 leaves it to torch")
    answer_cache: bool = Field(
        True, description="keep answers, and give them again where nothing that they rest on has changed"
    )
    answers: Path | None = Field(
        None, description="folder of the stored answers; unset: that of the index, or .tekio/answers"
    )
    answer_cache_mb: int = Field(
        64, ge=1, le=100_000, description="most that the stored answers take; those used longest ago go first"
    )
    similar_questions: float = Field(
        0.0,
        ge=0,
        le=1,
        description="cosine from which a stored answer to a question in other words is given, and marked; 0: never",
    )
    passage_cache: int = Field(
        256, ge=0, le=100_000, description="searches whose passages a process keeps; 0: none"
    )
    trace: Literal["", "console", "otlp"] = Field(
        "", description="where the steps of questions are sent: console, otlp (OTEL_* variables) or empty"
    )
    trace_content: bool = Field(False, description="put questions, prompts and drafts into what is sent")
    prometheus: bool = Field(False, description="offer figures of the API at /metrics")
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="below this an answer is refused; unset takes the calibrated value"
    )

    @field_validator("index", mode="before")
    @classmethod
    def _folder(cls, value: object) -> object:
        if isinstance(value, str) and is_address(value):
            raise ValueError("an address belongs into the setting store")
        return value

    @field_validator("store")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not is_address(value):
            raise ValueError("it is an address, postgresql://… or qdrant://…; a folder belongs into index")
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _cannot_be_changed_on_the_way(cls, value: str) -> str:
        parts = urlsplit(value)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if value and not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise ValueError("it is an https:// address, or an http:// one of this machine")
        return value

    @field_validator("oidc_audience")
    @classmethod
    def _for_whom(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("oidc_issuer") and not value:
            raise ValueError("an issuer gives tokens to many services: say which of them are for this one")
        return value

    @field_validator("functions")
    @classmethod
    def _named_apart(cls, value: list[Attachment]) -> list[Attachment]:
        check_names(value)
        return value

    @field_validator("variants")
    @classmethod
    def _fit_names(cls, value: dict[str, VariantSettings]) -> dict[str, VariantSettings]:
        check_variant_names(value)
        return value

    @field_validator(
        "index",
        "memory",
        "examples",
        "adapters",
        "embedders",
        "cache",
        "answers",
        "audit_log",
        "uploads",
        "jobs",
    )
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @field_validator("prompts")
    @classmethod
    def _expand_homes(cls, value: list[Path]) -> list[Path]:
        return [path.expanduser() for path in value]

    @model_validator(mode="after")
    def _composed_of_others(self) -> Settings:
        for kind in (self.ensembles, self.pipelines, self.policies):
            check_variant_names(kind)
        named = [*self.variants, *self.ensembles, *self.pipelines, *self.policies]
        if twice := [name for name in self.composed if named.count(name) > 1]:
            raise ValueError(f"two variants are named '{twice[0]}': rename one of them")
        check_acyclic({name: made.asks for name, made in self.composed.items()})
        check_pipelines(self.pipelines, self.surroundings)
        return self

    @property
    def surroundings(self) -> Surroundings:
        """What the steps of pipelines are held against."""
        own = {BASE: self.generator_languages, EXTRACTIVE: []}
        own |= {name: told.languages or self.generator_languages for name, told in self.variants.items()}

        def is_known(name: str) -> bool:
            places = (self.adapters / name, Path(name).expanduser())
            return name in own or name in self.composed or any(place.is_dir() for place in places)

        return Surroundings(
            usual=self.variant,
            composed=self.composed,
            languages=own.get,
            is_known=is_known,
            prompts=[folder.name for folder in prompt_folders(self.prompts)],
            plugins=[*self.own_functions, *(each.name for each in self.functions)],
        )

    @property
    def composed(self) -> dict[str, EnsembleSettings | PipelineSettings | PolicySettings]:
        """The variants that make their answers of others' answers."""
        return {**self.ensembles, **self.pipelines, **self.policies}

    @property
    def blends(self) -> frozenset[str]:
        """The ensembles that mix next tokens, and so answer as one model does."""
        return frozenset(name for name, told in self.ensembles.items() if told.rule in TOKEN_RULES)

    @property
    def named_variants(self) -> list[str]:
        """The names of all variants that the settings make and that answer questions."""
        silent = [name for name, pipeline in self.pipelines.items() if pipeline.answering is None]
        return [*self.variants, *(name for name in self.composed if name not in silent)]

    @property
    def place(self) -> Place:
        """Where the index is: a folder or an address."""
        return self.store or self.index

    @property
    def memory_place(self) -> Place:
        """Where the semantic memory is."""
        return beside(self.store, "memory") if self.store else self.memory

    @property
    def uploads_folder(self) -> Path:
        """Where uploaded files are: not within the index's folder, which can be made anew from them."""
        if self.uploads is not None:
            return self.uploads
        return Path(".tekio/uploads") if self.store else self.index.with_name(f"{self.index.name}-uploads")

    @property
    def stores_answers(self) -> bool:
        """Whether answers are stored: of an index in a server only where the settings say in which folder."""
        return self.answer_cache and (self.answers is not None or not self.store)

    @property
    def answers_file(self) -> Path:
        """Where stored answers are: in the index's folder, so that they go when it goes, unless told otherwise."""
        if self.answers is None and not self.store:
            return self.index / "answers.sqlite"
        place = hashlib.sha256((self.store or str(self.index.absolute())).encode()).hexdigest()[:16]
        return (self.answers or Path(".tekio/answers")) / f"answers-{place}.sqlite"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; overrides that are None are left out, and an `index` may be a folder or an address.

    Raises:
        UsageError: a value is wrong or unknown; names the field and where it may come from.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    if "index" in given:
        named = given.pop("index")
        given |= {"store": named} if is_address(str(named)) else {"index": named, "store": ""}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if not field:
            raise UsageError(
                f"the settings do not fit each other: {message}; mend it in {SETTINGS_FILE}"
            ) from error
        raise UsageError(
            f"setting '{field}' is wrong: {message[:1].lower()}{message[1:]}; mend it in {SETTINGS_FILE} "
            f"or in TEKIO_{field.partition('.')[0].upper()} (tekio config lists the settings)"
        ) from error
    except SettingsError as error:
        raise UsageError(f"{error}: its value is no JSON (tekio config lists the settings)") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{SETTINGS_FILE} is not valid TOML: {error}") from error
