"""A model of the lab written for another program, and run once there, so that it is known to work.

Importing this imports nothing heavy.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from adaptation.lab.exporting.ran import Ran, run_once
from retrieval.errors import TekioError, UsageError

FORMATS = ("onnx", "gguf")
_BESIDE = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")


def export_model(folder: Path, out: Path, form: str) -> Ran:
    """Write a model as ONNX or GGUF with its tokenizer, whole or not at all, and run the file once.

    Args:
        folder: of the model.
        out: folder of the file; must not be there.
        form: one of `FORMATS`.

    Returns:
        what the run showed.

    Raises:
        UsageError: there is no such form, the folder is taken, or the model has no place in the form.
        TekioError: it cannot be written.
    """
    if form not in FORMATS:
        raise UsageError(f"a model can be exported as {' or '.join(FORMATS)}, not as '{form}'")
    if out.exists():
        raise UsageError(f"{out} exists already: name another folder, or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        try:
            ran = _onnx(folder, work) if form == "onnx" else _gguf(folder, work)
            for name in _BESIDE:
                if (folder / name).is_file():
                    shutil.copyfile(folder / name, work / name)
            work.chmod(0o755)
            work.rename(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise TekioError(f"{out} cannot be written ({error.strerror or error}): free some space") from error
    return ran


def _onnx(folder: Path, work: Path) -> Ran:
    from adaptation.lab.exporting.onnx_file import onnx_logits, write_onnx

    file = write_onnx(folder, work)
    return run_once(file, "onnxruntime", folder, onnx_logits(file))


def _gguf(folder: Path, work: Path) -> Ran:
    from adaptation.lab.exporting.gguf_file import gguf_logits, write_model

    file = write_model(folder, work)
    return run_once(file, "transformers", folder, gguf_logits(file))
