"""A chat service that chooses functions by rules, in the place of a model that was made to call them.

None of the models that a package carries was. It is a service of the kernel like any other, it sees the prompts that
a model sees, and what it writes goes the same way as what a model writes.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Annotated, Any

from pydantic import Field
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import ChatHistory, ChatMessageContent, StreamingChatMessageContent
from semantic_kernel.contents.utils.author_role import AuthorRole

from kernel.chat.chat_settings import GenerationSettings

Choose = Callable[[str], tuple[str, dict[str, Any]] | None]
Write = Callable[[str], str]


class RuledChat(ChatCompletionClientBase):
    """Chooses a function by `choose`, a rule over the user's message, and answers by `write`."""

    choose: Annotated[Any, Field(exclude=True)]
    write: Annotated[Any, Field(exclude=True)]
    prompts: Annotated[list[str], Field(exclude=True, default_factory=list)]

    def __init__(self, service_id: str, choose: Choose, write: Write) -> None:
        super().__init__(service_id=service_id, ai_model_id=service_id, choose=choose, write=write)

    def get_prompt_execution_settings_class(self) -> type[PromptExecutionSettings]:
        return GenerationSettings

    async def _inner_get_chat_message_contents(
        self, chat_history: ChatHistory, settings: PromptExecutionSettings
    ) -> list[ChatMessageContent]:
        raise NotImplementedError

    async def _inner_get_streaming_chat_message_contents(
        self, chat_history: ChatHistory, settings: PromptExecutionSettings, function_invoke_attempt: int = 0
    ) -> AsyncGenerator[list[StreamingChatMessageContent], Any]:
        assert isinstance(settings, GenerationSettings)
        asked = chat_history.messages[-1].content
        self.prompts.append(asked)
        if settings.grammar is None:
            text = self.write(asked)
        else:
            chosen = self.choose(asked)
            call = {"name": "none"} if chosen is None else {"name": chosen[0], "arguments": chosen[1]}
            text = json.dumps(call, ensure_ascii=False)
        yield [
            StreamingChatMessageContent(
                role=AuthorRole.ASSISTANT,
                choice_index=0,
                content=text,
                metadata={"finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1},
            )
        ]


class Words:
    """Counts words, as the tokenizer of such a service."""

    def count(self, messages: Sequence[dict[str, str]]) -> int:
        return sum(len(message["content"].split()) for message in messages)
