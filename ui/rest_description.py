"""What the API says of itself, beside what each address says."""

DESCRIPTION = """Answers from your own documents, with checked citations.

`POST /v1/ask` with `"stream": true` (or `Accept: text/event-stream`) sends server-sent events: `passages`
(what was found), `token` (pieces of the draft), `citation` (each place that supports the answer), `answer` (the
whole checked answer), and last, always, `done` (with `finish_reason` and `usage`) or `error`. What fails before the
first event is told by the status, as without a stream. A connection that ends without either was cut. Closing the
connection stops the generation.

A question that names a `conversation` follows the turns that are kept of it, and is kept there with its answer, for
its caller alone: `/v1/conversations` lists, gives, renames, exports and deletes them. What came to no answer is not
kept.

`POST /v1/pipelines/{name}` does the same for the steps of a pipeline: `step`, `passages`, `token`, `step_done`, and
last `done` or `error`, which holds what the steps before gave.

`/v1/chat/completions`, `/v1/embeddings` and `/v1/models` speak OpenAI's protocol: a model is a variant, or the
embedder; citations are in the field `tekio`, and as a list at the end of the text.

A variant can be composed of others: `/v1/variants` tells of each what it is and whom it asks. How a composed answer was
found is in the answer, in `done`, and in `tekio`: `ensemble` has what each member answered and counted for, `pipeline`
what each step gave, `policy` what was chosen and why; what members and steps wrote is text to be shown, never markup.

Errors are problem details (RFC 9457, `application/problem+json`): `type`, `title`, `status`, `detail` (what happened),
`remedy` (what to do), with `error` beside them; on the addresses of OpenAI's protocol they have its form.

Versions: the version of the API is in its addresses. Within `v1` fields and addresses are only added; clients pass over
what they do not know. What is to go is marked `deprecated` in this description, stays for two releases, and its answers
carry the headers `Deprecation` (RFC 9745) and `Sunset` (RFC 8594). Nothing is deprecated now."""


EVENTS = {
    "passages": "what was found, with the variant and the technique",
    "token": "`text`, a piece of the draft",
    "citation": "a citation, with `document_id`",
    "answer": "the whole checked answer",
    "done": "`finish_reason`, `usage`, how long it took, and how a composed answer was found",
    "error": "a problem, after which nothing comes",
}
"""What the events of /v1/ask hold, in their order."""
