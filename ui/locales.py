"""What the ways in say, in English and Japanese."""

from __future__ import annotations

LANGUAGES = {"en": "English", "ja": "日本語"}

_TEXTS: dict[str, tuple[str, str]] = {
    # answers, on the page and in the terminal
    "sources": ("Sources", "出典"),
    "page": ("p. {page}", "{page}ページ"),
    "also_in": ("also in {documents}", "ほかに {documents}"),
    "quote": ("“{quote}”", "「{quote}」"),
    "checked": ("Checked answer", "確認済みの回答"),
    "against": ("The documents say otherwise:", "文書の記述と異なります："),
    "unsupported": ("Not supported by the sources", "出典による裏付けがない文"),
    "functions": ("Functions that were called", "呼び出した関数"),
    "notices": ("Please note", "お知らせ"),
    "nearest": ("Nearest passages", "近い箇所"),
    "asked": ("understood as: {question}", "次の質問として検索: {question}"),
    "remembered": ("Remembered (no source)", "覚えていること(出典ではありません)"),
    "seconds": ("{seconds:.1f} s", "{seconds:.1f}秒"),
    "tokens": ("{prompt} + {completion} tokens", "{prompt} + {completion} トークン"),
    "stored": (
        "stored answer, {age} old; to the same question",
        "保存された回答({age}前、同じ質問への回答)",
    ),
    "stored_similar": (
        "stored answer, {age} old; to a question in other words: “{question}”",
        "保存された回答({age}前、別の言い方の質問への回答:「{question}」)",
    ),
    "age_seconds": ("{count} s", "{count}秒"),
    "age_minutes": ("{count} min", "{count}分"),
    "age_hours": ("{count} h", "{count}時間"),
    "samples_agree": ("{agreeing} of {n} drafts agree", "下書き {n} 個のうち {agreeing} 個が一致"),
    "finish_cancelled": ("The answer was stopped before its end.", "回答は途中で停止されました。"),
    # documents
    "work_with": ("Summarise or compare", "要約・比較"),
    "document": ("Document", "文書"),
    "compare_with": ("Compare with", "比較する文書"),
    "no_comparison": ("Only summarise", "比較しない(要約のみ)"),
    "summarize_now": ("Summarise", "要約する"),
    "compare_now": ("Compare", "比較する"),
    "working": ("Reading the document …", "文書を読んでいます…"),
    "summary_of": ("Summary of {document}", "{document} の要約"),
    "comparison_of": ("{first} and {second}", "{first} と {second} の比較"),
    "close": ("Close", "閉じる"),
    "changed": ("Different in the two documents", "二つの文書で異なる箇所"),
    "differs_figures": ("figures", "数値"),
    "differs_negation": ("one denies what the other says", "一方が他方を否定"),
    "differs_words": ("wording", "表現"),
    "only_in": ("Only in {document}", "{document} だけにある箇所"),
    "same_count": ("{count} sentences say the same", "同じ内容の文 {count} 件"),
    # the page
    "tagline": (
        "Answers from your own documents, with checked citations",
        "手元の文書から、出典を確認して答えます",
    ),
    "ask_placeholder": ("Ask a question about your documents", "文書について質問してください"),
    "language": ("Language", "言語"),
    "variant": ("Who answers", "回答者"),
    "automatic": ("Automatic ({variant})", "自動({variant})"),
    "variant_help": (
        "Automatic takes the documents' own sentences for a language that the model does not speak. "
        "base: the language model · extractive: the documents' own sentences · others: fine-tuned models",
        "自動: モデルが話せない言語では文書の文をそのまま使います。"
        "base: 言語モデル ・ extractive: 文書の文をそのまま ・ その他: 調整済みモデル",
    ),
    "technique": ("How the prompt is built", "プロンプトの作り方"),
    "zero_shot": ("Zero-shot", "ゼロショット"),
    "one_shot": ("One-shot", "ワンショット"),
    "few_shot": ("Few-shot", "フューショット"),
    "chain_of_thought": ("Chain of thought", "思考の連鎖"),
    "hybrid": ("Hybrid", "ハイブリッド"),
    "samples": ("Drafts to vote on", "多数決に使う下書きの数"),
    "samples_help": (
        "Several drafts are written and the answer that most of them give is taken. It takes longer.",
        "下書きをいくつか作り、最も多かった答えを採ります。時間は長くなります。",
    ),
    "top_k": ("Passages to read", "参照する箇所の数"),
    "where": ("Only where (optional)", "絞り込み (任意)"),
    "where_help": (
        "Filters that must all hold, separated by ; — for example language=ja, modified>=2024, document~hr/*, "
        "tag.ward=icu, author=Aoki",
        "すべてを満たす文書だけを調べます。;で区切ります。例: language=ja、modified>=2024、document~hr/*、"
        "tag.病棟=集中治療、author=青木",
    ),
    "documents": ("Documents", "文書"),
    "documents_count": (
        "{documents} documents, {chunks} chunks",
        "文書 {documents} 件、チャンク {chunks} 個",
    ),
    "chunks": ("{chunks} chunks", "チャンク {chunks} 個"),
    "more": ("… and {count} more", "… ほか {count} 件"),
    "advise": ("Which way to adapt a model?", "モデルの合わせ方の助言"),
    "advise_now": ("Recommend", "助言を見る"),
    "advice_costs": ("Costs over the months, US dollars", "月ごとの累計費用(米ドル)"),
    "advice_knowledge": ("knowledge", "知識"),
    "advice_behaviour": ("behaviour", "振る舞い"),
    "advice_both": ("both", "両方"),
    "advice_never": ("never", "変わらない"),
    "advice_yearly": ("yearly", "年に一度"),
    "advice_monthly": ("monthly", "月に一度"),
    "advice_daily": ("daily", "毎日"),
    "advice_good": ("good", "良い"),
    "advice_mixed": ("mixed", "良し悪しが混じる"),
    "advice_poor": ("poor", "悪い"),
    "advice_one": ("one", "一つ"),
    "advice_several": ("several", "複数"),
    "advice_usual": ("merely annoying", "困る程度"),
    "advice_high": ("harmful", "害がある"),
    "advice_ordinary": ("ordinary", "普通"),
    "advice_special": ("special", "特殊"),
    "memory": ("What is remembered", "覚えていること"),
    "remember": ("Something to remember", "覚えておくこと"),
    "remember_example": ("I work in plant 2", "第二工場の担当です"),
    "nothing_remembered": ("Nothing yet.", "まだ何もありません。"),
    "forget": ("Forget this", "忘れる"),
    "keep_answer": ("Remember", "覚える"),
    "rate_keep": ("Remember this question with its answer", "この質問と回答を覚える"),
    "rate_up": ("This is right: remember it as confirmed", "正しい(確認済みとして覚える)"),
    "rate_down": ("This is wrong", "正しくない"),
    "rated_keep": ("Remembered.", "覚えました。"),
    "rated_up": (
        "Thank you. The answer is remembered as confirmed.",
        "ありがとうございます。確認済みの回答として覚えました。",
    ),
    "rated_down": ("Thank you. This was noted.", "ありがとうございます。記録しました。"),
    "clear": ("Clear the conversation", "会話を消す"),
    "opening": ("Opening the index …", "索引を開いています…"),
    "searching": ("Searching the documents …", "文書を検索しています…"),
    "draft": ("Draft, to be checked", "下書き(確認前)"),
    "reasoning": ("Steps before the answer", "回答までの考え方"),
    "stopped": (
        "Stopped before the answer was finished. Ask again to have it answered.",
        "回答の途中で停止しました。もう一度質問してください。",
    ),
    "no_index": ("There is no index in {index} yet.", "{index} にはまだ索引がありません。"),
    "empty_index": (
        "The index in {index} holds no documents yet.",
        "{index} の索引にはまだ文書がありません。",
    ),
    "run_this": (
        "Run this in a terminal, then reload the page:",
        "端末で次を実行してから、ページを再読み込みしてください。",
    ),
    "failed": ("That did not work", "エラー"),
    "welcome": (
        "Ask a question below. Every answer names the passages it rests on; "
        "sentences that no passage supports are marked.",
        "下の欄に質問を入力してください。回答には根拠となる箇所が示され、裏付けのない文には印が付きます。",
    ),
}


def label(key: str, language: str, **values: object) -> str:
    """Return a text in a language ("ja", or English for any other), with its values filled in."""
    text = _TEXTS[key][1 if language == "ja" else 0]
    return text.format(**values) if values else text
