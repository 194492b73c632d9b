"""What is right for each of the public test documents, as far as it is known without reading them by Tekio.

The facts are those of the list that comes with the documents. Where that list names a text in whole, the
reading is compared with it; else with a beginning, a length and phrases.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.blocks import Outcome

READ = (Outcome.OK, Outcome.PARTIAL)


@dataclass(frozen=True, slots=True)
class Expected:
    """The right reading of one file, once for each way to read it.

    A whole text is known from one of four places: `text` itself, `files` (below `expected/`; the best one
    counts), the file decoded with `decode` (its `markup` taken off), or, with `pdfium`, from PDFium,
    whose order is right for that file. `begins` stands within the first 300 characters; `length` is in
    characters, give or take `tolerance`; `phrases` stand in this order, each of `once` exactly one time,
    `absent` nowhere.
    """

    name: str
    outcomes: tuple[Outcome, ...] = (Outcome.OK,)
    password: str = field(default="", repr=False)
    text: str = ""
    files: tuple[str, ...] = ()
    decode: str = ""
    markup: str = ""
    pdfium: bool = False
    at_least: float = 0.99
    excess: float = 0.02
    begins: str = ""
    length: int = 0
    tolerance: float = 0.1
    phrases: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    encodings: tuple[str, ...] = ()
    title: str = ""

    @property
    def whole(self) -> bool:
        """Tell whether the whole text is known."""
        return bool(self.text or self.files or self.decode or self.pdfium)


def _refused(name: str, outcome: Outcome) -> Expected:
    return Expected(name, outcomes=(outcome,))


_ARTICLE = ("derived_ja_full.utf8.txt",)
_EXACT = 0.0

# One phrase of each of the 19 pages.
_REGULATION = (
    "The application shall show the name, address, and official title",
    "Schedules of controlled substances established by section 202 of the Act",
    "Cyprenorphine",
    "Mecloqualone",
    "Bulk dextropropoxyphene (non-dosage forms)",
    "Secobarbital",
    "Bromazepam",
    "Schedule V shall consist of the drugs and other substances",
    "Excluded substances",
    "The exact trade name or other designation of the preparation or mixture",
    "Registration and security",
    "Bulk materials: For materials exempted in bulk quantities",
    "through implant to cattle or other nonhuman species",
    "any interested person to file written comments on or objections to the proposal",
    "Information to facilitate identification of the dosage form",
    "hold a hearing for the purpose of receiving factual evidence",
    "the Administrator shall not control that drug or other substance",
    "Control required under international treaty",
    "REGISTRATION OF MANUFACTURERS, DISTRIBUTORS, IMPORTERS AND EXPORTERS OF LIST I CHEMICALS",
)

_TEXTS = (
    Expected("RustPython__euc_jp.txt", files=("euc_jp-utf8.txt",), at_least=1.0, excess=_EXACT,
             encodings=("euc_jp",)),
    Expected("derived_ja_cp932.txt", files=_ARTICLE, at_least=1.0, excess=_EXACT, encodings=("cp932",)),
    Expected("derived_ja_nfd_halfwidth.txt", files=("derived_ja.utf8.txt",), at_least=1.0, excess=_EXACT,
             encodings=("utf-8",)),
    Expected("derived_ja_utf16be_nobom.txt", files=_ARTICLE, at_least=1.0, excess=_EXACT,
             encodings=("utf-16-be",)),
    Expected("derived_ja_utf16le_bom.txt", files=_ARTICLE, at_least=1.0, excess=_EXACT,
             encodings=("utf-16-le",)),
    Expected("derived_ja_utf8_bom.txt", files=_ARTICLE, at_least=1.0, excess=_EXACT, encodings=("utf-8",)),
    # The last character is cut, nothing else.
    Expected("derived_ja_utf8_truncated.txt", files=("derived_ja.utf8.txt",), at_least=0.9998, excess=_EXACT,
             encodings=("utf-8",)),
    Expected("markitdown__test_mskanji.csv", encodings=("cp932",), phrases=(
        "名前", "年齢", "住所", "佐藤太郎", "30", "東京", "三木英子", "25", "大阪", "髙橋淳", "35", "名古屋")),
    Expected("tika__english.cp500.txt", decode="cp500", at_least=1.0, excess=_EXACT, encodings=("cp500",)),
    Expected("unstructured__fake-text-utf-16-le.txt", decode="utf-16-le", at_least=1.0, excess=_EXACT,
             encodings=("utf-16-le",), phrases=("This is a test document to use for unit tests.",
                                                "Doylestown, PA 18901", "Hamburgers are delicious")),
    _refused("unstructured__empty.txt", Outcome.EMPTY),
    Expected("pypdf__CHANGELOG.md", decode="utf-8", markup="markdown", phrases=("CHANGELOG", "Version")),
    Expected("niilc-qa__NIILC-ECQA2015_AnnotationDefinition.md", decode="utf-8", markup="markdown",
             begins="質問応答タグ付データ"),
)  # fmt: skip

_PAGES = (
    Expected("docling__html_rich_table_cells.html", decode="utf-8", markup="html", at_least=1.0, phrases=(
        "Basic duck facts", "Teal", "Pond", "Marsh", "Riverbank", "Fly south in winter", "Quack", "Short",
        "“quak”", "Long", "“quaaaaaack”", "Famous Ducks with Images", "Unknown Duck")),
    Expected(
        "docling__wiki_duck.html",
        begins="Duck",
        length=15_300,
        phrases=(
            "Kingdom", "Animalia",
            "Duck is the common name for numerous species of waterfowl",
            "Ducks are sometimes confused with several types of unrelated water birds",
            "Etymology", "The word duck comes from Old English",
            "Taxonomy", "All ducks belong to the biological order Anseriformes",
            "Morphology", "The overall body plan of ducks is elongated and broad",
            "Distribution and habitat", "Ducks have a cosmopolitan distribution",
            "Feeding", "Ducks eat food sources such as grasses",
            "Breeding", "Ducks generally only have one partner at a time",
            "Communication", "Calls may be loud displaying calls or quieter contact calls.",
            "Predators", "Adult ducks are fast fliers",
            "Hunting", "Humans have hunted ducks since prehistoric times",
            "Domestication", "Ducks have many economic uses",
            "Heraldry", "Ducks appear on several coats of arms",
            "Cultural references", "Long Island Ducks minor league baseball team.",
        ),
        absent=("Main page", "Privacy policy", "Jump to content", "Create account", "[edit]", "edit source",
                "Retrieved from", "Toggle the table of contents", "ISBN", "Random article", "Upload file"),
        title="Duck - Wikipedia",
    ),
    Expected("tika__testArabicMisleadingCharset.html", decode="cp1256", markup="html", at_least=1.0,
             encodings=("cp1256",)),
    Expected("tika__testHTML_charset_utf16le.html", decode="utf-16", markup="html", at_least=1.0,
             encodings=("utf-16-le",), phrases=("This is a sample text",)),
    Expected("unstructured__fake-html-cp1252.html", decode="cp1252", markup="html", at_least=1.0,
             encodings=("cp1252",), phrases=("Die schöne Frau hat einen Kaffee", "15,50 €.")),
)  # fmt: skip

_WORD = (
    Expected("docling__textbox.docx", length=1_900, phrases=(
        "Infectious Disease Reporting Procedure", "Student falls ill", "Fever", "Sore throat"),
        once=("Student falls ill", "Case closed.", "Sore throat")),
    Expected("docling__word_tables.docx", phrases=(
        "Test with tables", "A uniform table", "Header 0.0", "Header 0.1", "Header 0.2", "Cell 1.0",
        "Cell 1.1", "Cell 1.2", "Cell 2.0", "A non-uniform table with horizontal spans", "Cell 1.0",
        "Merged Cell 1.1 1.2", "A non-uniform table with vertical spans", "Merged Cell 1.1 2.1",
        "A non-uniform table with all kinds of spans and empty cells", "Cell 8.4",
        "A non-uniform table with a row starting late", "Merged Cell 0.2 1.2")),
    Expected("tika__testWORD_missing_text.docx", phrases=(
        "Statement", "Seasoned professional", "Experience", "BigCompany", "other", "Cell0",
        "Rich_text_in_cell", "Cell2")),
    Expected("tika__testWORD_phonetic.docx", text="東京", at_least=1.0, excess=_EXACT),
    _refused("tika__testWORD_protected_passtika.docx", Outcome.ENCRYPTED),
    Expected("tika__testWORD_protected_passtika.docx", password="tika",  # noqa: S106
             phrases=("This is an encrypted Word 2007 File",)),
    Expected("tika__testWORD_text_box.docx", begins="This text is directly in the body of the document.",
             once=("This text is directly in the body of the document.",
                   "inside of a text box in the body of the document",
                   "inside of a text box in the header of the document",
                   "inside of a text box in the footer of the document")),
    _refused("tika__testWORD_truncated.docx", Outcome.FAILED),
    Expected("unstructured__handbook-872p.docx", length=816_000, tolerance=0.03, phrases=(
        "Handbook for", "Chapter 13", "Standing Trustees")),
    Expected("unstructured__tables-with-incomplete-rows.docx", phrases=(
        "one or more rows is missing cells from the end", "a", "b", "c", "d", "a", "b", "c")),
    Expected("markitdown__test.pptx", outcomes=(Outcome.UNSUPPORTED, *READ), phrases=(
        "AutoGen", "A table to test parsing:", "ColA", "A Nested Shape parsing")),
    Expected("tika__testRTF-ms932.rtf", phrases=("こんにちは",), title="タイトル"),
)  # fmt: skip

_PDF = (
    Expected("docling__amt_handbook_sample.pdf",
             begins="pulleys, provided the inner race of the bearing is clamped", length=3_750),
    Expected("docling__invisible_text_layer.pdf", phrases=("Visible heading line", "Invisible OCR text layer"),
             once=("Visible heading line", "Invisible OCR text layer")),
    Expected("markitdown__SPARSE-2024-INV-1234_borderless_table.pdf",
             files=("SPARSE-2024-INV-1234_borderless_table.md",), at_least=0.98, excess=0.05),
    Expected("pdfjs__noembed-eucjp.pdf", text="あいうえお", at_least=1.0, excess=_EXACT),
    Expected("pdfjs__noembed-jis7.pdf", text="ABC あいうえお 123 1", at_least=1.0, excess=_EXACT),
    Expected("pdfjs__noembed-sjis.pdf", text="あいうえお", at_least=1.0, excess=_EXACT),
    # Its second and third page hold no text that an engine finds, and are reported as empty.
    Expected("pdfjs__vertical.pdf", outcomes=READ, phrases=("あいうえお", "日本語")),
    Expected("pdfjs__xref_command_missing.pdf", text="Reduced test-case", at_least=1.0, excess=_EXACT),
    Expected("pdfplumber__federal-register-2020-17221.pdf", outcomes=READ, length=60_100,
             begins="This section of the FEDERAL REGISTER contains notices to the public"),
    Expected("pdfplumber__issue-71-duplicate-chars.pdf", phrases=("计算机科学与技术（应用技术）",),
             once=("计算机科学与技术（应用技术）",), absent=("本本", "计计")),
    Expected("pdfplumber__malformed-from-issue-932.pdf", outcomes=READ, phrases=("2021", "3", "31")),
    Expected("pdfplumber__senate-expenditures.pdf",
             phrases=("BAIN, J MATTHEW", "DISTRICT DIRECTOR", "37,499.96")),
    Expected("pypdf__Seige_of_Vicksburg_Sample_OCR.pdf", length=12_700, begins=(
        "however, did not last long; it became too conspicuous and dangerous for use.")),
    Expected("pypdf__multilang.pdf", at_least=1.0, excess=_EXACT, text=(
        "English: Hello World Arabic: مرحبا بالعالم Russian: Привет, мир Chinese (traditional): 你好世界 "
        "Thai: สวัสดีชาวโลก Japanese: こんにちは世界")),
    # Some engines read this one without a password, some refuse: both are right.
    Expected("pypdf__r6-user-password.pdf", outcomes=(Outcome.OK, Outcome.ENCRYPTED),
             phrases=("pdf encryption test password: asdfzxcv",)),
    Expected("pypdf__r6-user-password.pdf", password="asdfzxcv",  # noqa: S106
             text="pdf encryption test password: asdfzxcv", at_least=1.0, excess=_EXACT),
    _refused("sample-files__libreoffice-writer-password.pdf", Outcome.ENCRYPTED),
    Expected("sample-files__libreoffice-writer-password.pdf", password="openpassword",  # noqa: S106
             begins="Lorem ipsum dolor sit amet", length=590),
    Expected("sample-files__multicolumn.pdf", pdfium=True, at_least=0.98, absent=("\ufb01",),
             begins="Two-Column Document with Lorem Ipsum Your Name January 3, 2024 Abstract",
             phrases=("Nam feugiat lacus vel est", "Suspendisse vel felis",
                      "Austria 8.9 83,879 Vienna German")),
    # 89,400 characters with its leaders; 78,200 where each row of dots stands as three, as the reader gives them.
    Expected("tika__testPDF_bad_page_303226.pdf", outcomes=READ, length=78_200,
             begins="condition that the registrant keep records", phrases=_REGULATION),
    _refused("tika__testUnicodePassword.pdf", Outcome.ENCRYPTED),
)  # fmt: skip

EXPECTED = _TEXTS + _PAGES + _WORD + _PDF
