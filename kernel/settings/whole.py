"""All settings together, where they come from, and what holds between those of several groups."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from kernel.composed.circles import check_acyclic
from kernel.lab_models import model_source
from kernel.pipelines.checks import Surroundings, check_pipelines
from kernel.settings.answerers import Answerers
from kernel.settings.answering import Answering
from kernel.settings.computing import Computing
from kernel.settings.functions import Functions
from kernel.settings.ingesting import Ingesting
from kernel.settings.outcome import Outcome
from kernel.settings.places import Places
from kernel.settings.serving import Serving
from kernel.variant_names import BASE, EXTRACTIVE
from kernel.variant_settings import check_variant_names
from plugins.prompt_folders import prompt_folders

SETTINGS_FILE = "tekio.toml"


# The fields are listed from the last group to the first.
class Settings(Outcome, Computing, Functions, Serving, Ingesting, Answering, Answerers, Places, BaseSettings):
    """Everything that can be set. Each field is the environment variable TEKIO_<NAME> too."""

    model_config = SettingsConfigDict(
        env_prefix="TEKIO_", toml_file=SETTINGS_FILE, extra="forbid", frozen=True
    )

    @model_validator(mode="before")
    @classmethod
    def _models_of_the_lab(cls, held: dict[str, Any]) -> dict[str, Any]:
        models = Path(held.get("models") or cls.model_fields["models"].default).expanduser()
        keys = ("generator", "draft", "reading_model")
        named = {key: held[key] for key in keys if isinstance(held.get(key), str)}
        return held | {key: model_source(name, models) for key, name in named.items()}

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
            places = (self.adapters / name, self.models / name, Path(name).expanduser())
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
