"""The variant that was asked for answers, or nobody does."""

from __future__ import annotations

from typing import Any

import pytest
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.chat.extractive_chat import ExtractiveChatCompletion, ExtractiveSettings
from kernel.chat.selector import StrictServiceSelector
from kernel.variant_names import EXTRACTIVE
from plugins.prompt_functions import load_prompt_plugins
from retrieval.errors import UsageError


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    """A kernel whose only service would answer everything, were it chosen in place of another."""
    return Kernel(
        plugins=load_prompt_plugins(),
        services=[ExtractiveChatCompletion()],
        ai_service_selector=StrictServiceSelector(),
    )


def arguments(*settings: PromptExecutionSettings) -> KernelArguments:
    return KernelArguments(settings=list(settings) or None, passages="p", question="q")


def extractive(name: str = EXTRACTIVE) -> ExtractiveSettings:
    return ExtractiveSettings(service_id=name, sentences=["It is so."])


def prompt(kernel: Kernel) -> Any:
    return kernel.get_function("prompts_en", "zero_shot")


async def test_the_variant_that_is_named_answers(kernel: Kernel) -> None:
    assert str(await kernel.invoke(prompt(kernel), arguments(extractive()))) == "It is so."


@pytest.mark.parametrize("name", ["base", "Extractive", "default", "extractive "])
async def test_an_unknown_variant_is_refused_and_no_other_runs(kernel: Kernel, name: str) -> None:
    with pytest.raises(UsageError, match=f"there is no variant '{name}'; there are extractive"):
        async for _ in kernel.invoke_stream(prompt(kernel), arguments(extractive(name))):
            pytest.fail("something answered")
    with pytest.raises(Exception, match=r"prompts_en-zero_shot") as raised:
        await kernel.invoke(prompt(kernel), arguments(extractive(name)))
    assert isinstance(raised.value.__cause__, UsageError)


@pytest.mark.parametrize(
    "given", [arguments(), arguments(extractive(), extractive("base"))], ids=["none", "two"]
)
def test_a_request_names_exactly_one_variant(kernel: Kernel, given: KernelArguments) -> None:
    with pytest.raises(UsageError, match="names one variant"):
        kernel.select_ai_service(function=prompt(kernel), arguments=given)
    with pytest.raises(UsageError, match="names one variant"):
        kernel.select_ai_service(function=prompt(kernel))


def test_a_service_of_another_type_is_no_variant(kernel: Kernel) -> None:
    class Other(ChatCompletionClientBase):
        pass

    with pytest.raises(UsageError, match="there is no variant"):
        kernel.select_ai_service(function=prompt(kernel), arguments=arguments(extractive()), type=Other)


async def test_the_callers_arguments_are_not_changed(kernel: Kernel) -> None:
    given = arguments(extractive())
    settings = given.execution_settings
    assert settings is not None
    before = {name: item.model_copy(deep=True) for name, item in settings.items()}
    await kernel.invoke(prompt(kernel), given)
    kernel.select_ai_service(function=prompt(kernel), arguments=given)
    assert given.execution_settings is settings
    assert settings == before
    assert dict(given) == {"passages": "p", "question": "q"}


def test_general_settings_become_the_services_own_and_stay_as_they_were(kernel: Kernel) -> None:
    general = PromptExecutionSettings(service_id=EXTRACTIVE, extension_data={"sentences": ["A."]})
    service, settings = kernel.select_ai_service(function=prompt(kernel), arguments=arguments(general))
    assert service is kernel.services[EXTRACTIVE]
    assert isinstance(settings, ExtractiveSettings)
    assert settings.sentences == ["A."]
    assert type(general) is PromptExecutionSettings
