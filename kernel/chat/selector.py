"""The strict choice of the service: the one that was asked for, or an error."""

from __future__ import annotations

from typing import Any

from semantic_kernel.functions.kernel_arguments import KernelArguments
from semantic_kernel.services.ai_service_client_base import AIServiceClientBase
from semantic_kernel.services.ai_service_selector import AIServiceSelector

from retrieval.errors import UsageError


class StrictServiceSelector(AIServiceSelector):
    """Raises where the stock selector would run another model than the one named.

    It reads the arguments only: the stock one adds the function's settings to the caller's arguments.
    """

    def select_ai_service(
        self,
        kernel: Any,
        function: Any = None,
        arguments: KernelArguments | None = None,
        type_: Any = None,
    ) -> tuple[AIServiceClientBase, Any]:
        """Return the service named by the arguments' execution settings, with settings of its own class.

        Raises:
            UsageError: none or several are named, or the one named is not registered.
        """
        given = dict((arguments.execution_settings or {}) if arguments is not None else {})
        if len(given) != 1:
            raise UsageError(f"a request names one variant, got {', '.join(given) or 'none'}")
        ((name, settings),) = given.items()
        service = kernel.services.get(name)
        if service is None or (type_ is not None and not isinstance(service, type_)):
            raise UsageError(f"there is no variant '{name}'; there are {', '.join(sorted(kernel.services))}")
        wanted = service.get_prompt_execution_settings_class()
        if not isinstance(settings, wanted):
            settings = wanted.from_prompt_execution_settings(settings)
        return service, settings
