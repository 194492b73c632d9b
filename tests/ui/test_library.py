"""Documents through the API: uploads of every kind, sources, deletion, and whose they are. Nothing is in a double."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from kernel.app import Tekio
from kernel.model_store import ModelStore
from retrieval.access import access
from tests.ui.serving import MRI, own_settings, served

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

KILN = b"# Kiln\n\nThe kiln is fired at 1,240 degrees for nine hours.\n"
QUESTION = "How long is the kiln fired?"


@pytest.fixture(scope="module")
def http(library: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=library, timeout=120) as client:
        yield client


@pytest.fixture
def place(library_place: Path) -> Path:
    return library_place


def upload(http: httpx.Client, *files: tuple[str, bytes], **options: Any) -> httpx.Response:
    return http.post("/v1/documents", files=[("files", file) for file in files], **options)


def stored(place: Path) -> list[str]:
    folder = place / "uploads"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def answer(http: httpx.Client) -> dict[str, Any]:
    asked: dict[str, Any] = http.post("/v1/ask", json={"question": QUESTION}).json()
    return asked


def test_an_upload_is_a_document_that_is_cited(http: httpx.Client, mri: dict[str, Any]) -> None:
    assert (mri["outcome"], mri["document"], mri["pages"]) == ("ok", "safety/mri.pdf", 3)
    found = http.get(f"/v1/documents/{mri['id']}").json()
    assert (found["id"], found["document"]) == (mri["id"], "safety/mri.pdf")
    assert found["tags"]["ward"] == ["radiology"]
    asked = http.post("/v1/ask", json={"question": "How long is a completed MR-07 valid?"}).json()
    assert asked["citations"][0]["document"] == "safety/mri.pdf"
    assert asked["passages"][0]["document_id"] == mri["id"]


def test_passages_are_given_in_their_order(http: httpx.Client, mri: dict[str, Any]) -> None:
    address = f"/v1/documents/{mri['id']}/passages"
    whole = http.get(address).json()
    assert whole["total"] == mri["chunks"] == len(whole["passages"])
    assert [row["start"] for row in whole["passages"]] == sorted(row["start"] for row in whole["passages"])
    part = http.get(address, params={"offset": 2, "limit": 3}).json()
    assert part["passages"] == whole["passages"][2:5]


def test_the_original_comes_as_a_file_to_be_saved(http: httpx.Client, mri: dict[str, Any]) -> None:
    response = http.get(f"/v1/documents/{mri['id']}/original")
    assert response.content == MRI.read_bytes()
    assert response.headers["content-disposition"] == 'attachment; filename="mri.pdf"'
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_cited_span_is_marked_on_its_page(http: httpx.Client, mri: dict[str, Any]) -> None:
    rows = http.get(f"/v1/documents/{mri['id']}/passages").json()["passages"]
    row = next(row for row in rows if "valid for 48 hours" in row["text"])
    start = row["start"] + row["text"].index("A completed MR-07")
    span = {"start": start, "end": start + len("A completed MR-07 is valid for 48 hours."), "width": 600}
    address = f"/v1/documents/{mri['id']}/pages/{row['page']}.png"
    marked, plain = http.get(address, params=span), http.get(address, params={"width": 600})
    assert marked.headers["content-type"] == "image/png"
    assert (marked.headers["tekio-boxes"], plain.headers["tekio-boxes"]) == ("1", "0")
    images = [Image.open(io.BytesIO(each.content)).convert("RGB") for each in (marked, plain)]
    assert images[0].size == images[1].size
    assert images[0].width == 600
    changed = [
        y
        for y in range(images[0].height)
        for x in range(100, 300, 20)
        if images[0].getpixel((x, y)) != images[1].getpixel((x, y))
    ]
    line = max(changed) - min(changed)
    assert 8 <= line <= 30  # one line of text, of a page of 849
    other = http.get(f"/v1/documents/{mri['id']}/pages/1.png", params=span)
    assert other.headers["tekio-boxes"] == "0"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("pages/4.png", 404),
        ("pages/1.png?start=5", 422),
        ("pages/1.png?start=5&end=2", 422),
        ("pages/1.png?width=100000", 422),
        ("pages/0.png", 422),
        ("passages?limit=0", 422),
        ("nonesuch", 404),
    ],
)
def test_what_is_not_there_is_told(http: httpx.Client, mri: dict[str, Any], path: str, status: int) -> None:
    response = http.get(f"/v1/documents/{mri['id']}/{path}")
    assert response.status_code == status
    assert "\n" not in response.json()["error"]["message"]


@pytest.mark.parametrize("way", ["", "/passages", "/original", "/pages/1.png"])
def test_an_unknown_document_is_not_found(http: httpx.Client, mri: dict[str, Any], way: str) -> None:
    response = http.get(f"/v1/documents/{'0' * 24}{way}")
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found")


def test_documents_are_listed_searched_and_paged(http: httpx.Client, mri: dict[str, Any]) -> None:
    notes = [(f"list/{name}.md", f"# {name}\n\nThe {name} is cleaned daily.\n".encode()) for name in "cab"]
    made = upload(http, *notes, data={"tag": "shop=west"}).json()["files"]

    def listed(**params: Any) -> dict[str, Any]:
        response = http.get("/v1/documents", params=params)
        assert response.status_code == 200
        return dict(response.json())

    def names(**params: Any) -> list[str]:
        return [row["document"] for row in listed(**params)["documents"]]

    every = listed()
    assert every["total"] == every["counts"]["documents"] == len(every["documents"]) >= 4
    assert names(search="LIST/") == ["list/a.md", "list/b.md", "list/c.md"]
    assert names(search="west c.md") == ["list/c.md"]
    assert names(where=["tag.shop=west", "document!=list/b.md"]) == ["list/a.md", "list/c.md"]
    assert names(where="format=pdf", search="safety") == ["safety/mri.pdf"]
    assert names(search="nonesuch") == []
    part = listed(where="tag.shop=west", limit=1, offset=1)
    assert ([row["document"] for row in part["documents"]], part["total"]) == (["list/b.md"], 3)
    assert part["counts"] == every["counts"]
    assert names(search="list/", offset=2) == ["list/c.md"]
    assert names(offset=10**6) == []
    pages = [names(limit=2, offset=offset) for offset in range(0, every["total"], 2)]
    assert [name for page in pages for name in page] == [row["document"] for row in every["documents"]]
    for wrong in ({"limit": 0}, {"offset": -1}, {"where": "colour=red"}, {"where": "page=2"}, {"where": "x"}):
        response = http.get("/v1/documents", params=wrong)
        assert response.status_code == 422, wrong
        assert response.json()["remedy"]
    for file in made:
        http.delete(f"/v1/documents/{file['id']}")


def bomb() -> bytes:
    """A document that would unpack to 64 MiB of nothing."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"\0" * 64 * 2**20)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "outcome", "says"),
    [
        ("empty.txt", b"", "empty", "empty"),
        ("bomb.docx", bomb(), "failed", "zip bomb"),
        ("photo.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "unsupported", "no reader for .png"),
        ("letter.docx", b"only text", "failed", "not a Word"),
        ("run.exe", b"MZ" + b"\0" * 100, "unsupported", "no reader for .exe"),
        ("broken.pdf", b"%PDF-1.7 and nothing else", "failed", ""),
        ("blank.md", b"  \n ", "empty", "no text"),
    ],
)
def test_what_cannot_be_read_is_told_and_not_kept(
    http: httpx.Client, place: Path, mri: dict[str, Any], name: str, data: bytes, outcome: str, says: str
) -> None:
    before = stored(place), http.get("/v1/documents").json()
    response = upload(http, (name, data))
    assert response.status_code == 422
    (file,) = response.json()["files"]
    assert (file["outcome"], file["id"], file["document"]) == (outcome, None, name)
    assert says in file["message"]
    assert file["advice"]
    assert response.json()["error"]["type"] == outcome
    assert (stored(place), http.get("/v1/documents").json()) == before


def test_good_files_go_in_beside_bad_ones(http: httpx.Client, mri: dict[str, Any]) -> None:
    response = upload(
        http, ("x.png", b"\x89PNG"), ("../../x", b"The lathe runs at 900 turns.\n"), ("x.zip", b"PK\x03\x04")
    )
    assert response.status_code == 201
    body = response.json()
    assert [file["outcome"] for file in body["files"]] == ["unsupported", "ok", "unsupported"]
    assert (body["added"], body["failed"]) == (1, 2)
    assert body["files"][1]["document"] == "x"
    assert http.delete(f"/v1/documents/{body['files'][1]['id']}").status_code == 200


@pytest.mark.parametrize("declared", [True, False])
def test_too_much_at_once_is_refused(
    http: httpx.Client, place: Path, mri: dict[str, Any], declared: bool
) -> None:
    before = stored(place)
    request = http.build_request("POST", "/v1/documents", files=[("files", ("a.txt", b"a" * 1_300_000))])
    body = request.read()
    content: Any = body if declared else iter([body[:600_000], body[600_000:]])
    response = http.post(
        "/v1/documents", content=content, headers={"Content-Type": request.headers["content-type"]}
    )
    assert (response.status_code, response.json()["error"]["type"]) == (413, "too_large")
    assert "max_upload_mb" in response.json()["error"]["message"]
    assert stored(place) == before


def test_the_same_again_is_unchanged_and_a_new_version_takes_its_place(
    http: httpx.Client, place: Path, mri: dict[str, Any]
) -> None:
    (first,) = upload(http, ("kiln.md", KILN)).json()["files"]
    again = upload(http, ("kiln.md", KILN)).json()
    assert (again["unchanged"], again["files"][0]["id"]) == (1, first["id"])
    bad = upload(http, ("kiln.md", b""))
    assert bad.status_code == 422
    assert "nine hours" in answer(http)["answer"]
    newer = upload(http, ("kiln.md", KILN.replace(b"nine", b"eleven"))).json()
    assert (newer["updated"], newer["files"][0]["replaced"]) == (1, True)
    assert "eleven hours" in answer(http)["answer"]
    assert http.get(f"/v1/documents/{first['id']}").status_code == 404
    names = [row["document"] for row in http.get("/v1/documents").json()["documents"]]
    assert names.count("kiln.md") == 1
    gone = http.delete(f"/v1/documents/{newer['files'][0]['id']}")
    assert gone.status_code == 200


def test_what_is_deleted_answers_no_more(http: httpx.Client, place: Path, mri: dict[str, Any]) -> None:
    before, counts = stored(place), http.get("/v1/documents").json()["counts"]
    (kiln,) = upload(http, ("kiln.md", KILN)).json()["files"]
    assert len(stored(place)) == len(before) + 1
    assert not answer(http)["refused"]
    assert answer(http)["cache"]["hit"] == "exact"
    gone = http.delete(f"/v1/documents/{kiln['id']}")
    assert gone.json() == {"document": "kiln.md", "passages": 1, "answers": 1, "file": "deleted"}
    assert stored(place) == before
    assert http.get("/v1/documents").json()["counts"] == counts
    asked = answer(http)
    assert asked["cache"] is None
    assert all(passage["document"] != "kiln.md" for passage in asked["passages"])
    assert http.delete(f"/v1/documents/{kiln['id']}").status_code == 404


def test_a_file_of_somebodys_folder_stays_when_its_document_is_deleted(
    http: httpx.Client, place: Path, mri: dict[str, Any], model_store: ModelStore
) -> None:
    file = place / "lathe.md"
    file.write_bytes(b"# Lathe\n\nThe lathe is oiled on Fridays.\n")
    with closing(Tekio(own_settings(place, model_store))) as tekio:
        tekio.ingest([file])
    (row,) = [row for row in http.get("/v1/documents").json()["documents"] if row["document"] == "lathe.md"]
    assert http.get(f"/v1/documents/{row['id']}/original").content == file.read_bytes()
    file.write_bytes(b"something else that was never read")
    changed = http.get(f"/v1/documents/{row['id']}/original")
    assert (changed.status_code, changed.json()["error"]["type"]) == (404, "not_found")
    assert http.delete(f"/v1/documents/{row['id']}").json()["file"] == "kept"
    assert file.exists()


def test_a_document_is_read_again_from_its_file(
    tmp_path: Path, model_store: ModelStore, scripted: type[ScriptedTekio]
) -> None:
    file = tmp_path / "docs/kiln.md"
    file.parent.mkdir()
    file.write_bytes(KILN)
    settings = own_settings(
        tmp_path, model_store, user_header="X-User", user_scope="write", admins=["user:root"]
    )
    with closing(Tekio(settings)) as tekio:
        tekio.ingest([file], tags={"shop": ("west",)}, access=access("mori", ["user:sato"]))
    mori, sato, ben = ({"X-User": name} for name in ("mori", "sato", "ben"))
    with served(Tekio, settings) as base, httpx.Client(base_url=base, timeout=120, headers=mori) as http:
        (row,) = http.get("/v1/documents").json()["documents"]
        address = f"/v1/documents/{row['id']}/reread"
        assert http.post(address).json()["outcome"] == "unchanged"
        file.write_bytes(KILN.replace(b"1,240", b"1,310"))
        refused = [http.post(address, headers=headers).status_code for headers in (ben, sato, {"X-User": ""})]
        assert refused == [404, 403, 403]
        again = http.post(address, params={"ocr": False})
        assert (again.status_code, again.json()["outcome"], again.json()["id"]) == (200, "ok", row["id"])
        found = http.get(f"/v1/documents/{row['id']}").json()
        assert (found["document"], found["tags"]) == (row["document"], {"shop": ["west"]})
        assert (found["owner"], found["readers"]) == ("mori", row["readers"])
        text = http.get(f"/v1/documents/{row['id']}/passages").json()["passages"][0]["text"]
        assert "1,310" in text
        file.write_bytes(b"")
        unread = http.post(address)
        assert (unread.status_code, unread.json()["files"][0]["outcome"]) == (422, "empty")
        assert "kept" in unread.json()["files"][0]["advice"]
        assert http.get(f"/v1/documents/{row['id']}/passages").json()["passages"][0]["text"] == text
        file.unlink()
        assert http.post(address).status_code == 404


def test_each_user_keeps_to_their_own(
    tmp_path: Path, model_store: ModelStore, scripted: type[ScriptedTekio]
) -> None:
    mori, sato = ({"X-User": name} for name in ("mori", "sato"))
    settings = own_settings(tmp_path, model_store, user_header="X-User")
    with served(scripted, settings) as base, httpx.Client(base_url=base, timeout=120) as http:
        assert upload(http, ("a.md", KILN)).status_code == 403
        (own,) = upload(http, ("kiln.md", KILN), headers=mori).json()["files"]
        (shared,) = upload(
            http, ("shared.md", KILN + b"\nFor all.\n"), headers=mori, data={"share": "everyone"}
        ).json()["files"]
        for way in ("", "/passages", "/original", "/pages/1.png"):
            assert http.get(f"/v1/documents/{own['id']}{way}", headers=sato).status_code == 404
            assert http.get(f"/v1/documents/{own['id']}{way}").status_code == 404
        assert http.get(f"/v1/documents/{shared['id']}/original", headers=sato).status_code == 200
        assert http.delete(f"/v1/documents/{own['id']}", headers=sato).status_code == 404
        assert http.delete(f"/v1/documents/{shared['id']}", headers=sato).status_code == 403
        # A name of somebody else's document takes the place of nothing.
        assert upload(http, ("kiln.md", b"Not the same.\n"), headers=sato).json()["added"] == 1
        assert http.get(f"/v1/documents/{own['id']}/original", headers=mori).content == KILN
        assert http.delete(f"/v1/documents/{own['id']}", headers=mori).status_code == 200
