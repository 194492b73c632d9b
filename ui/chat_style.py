"""The look of the page's own pieces. Colours follow the theme: they are mixed from the text's own."""

# Drawn here: Streamlit fetches the icons that it knows by name from a server of Google's.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#2f6f6a"/>'
    '<path d="M16 9c-3-2-6-2-9-1v15c3-1 6-1 9 1 3-2 6-2 9-1V8c-3-1-6-1-9 1zm0 0v15" fill="none" stroke="#fff"'
    ' stroke-width="2" stroke-linejoin="round"/></svg>'
)

STYLE = """<style>
.tk-title { font-size: 2rem; font-weight: 700; letter-spacing: -.01em; line-height: 1.2; }
.tk-tagline { opacity: .7; margin: .15rem 0 .6rem; }
.tk-text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.7; }
.tk-answer { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.8; font-size: 1.03rem; }
.tk-draft { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.8; opacity: .62; }
.tk-meta { font-size: .82rem; opacity: .66; font-weight: 400; overflow-wrap: anywhere; }
.tk-heading { font-size: .8rem; font-weight: 600; letter-spacing: .04em; opacity: .7;
  margin: .9rem 0 .3rem; }
.tk-badge { display: inline-block; min-width: 1.5em; padding: 0 .4em; margin: 0 .1em; border-radius: .75em;
  font-size: .74em; line-height: 1.5em; font-weight: 700; text-align: center; vertical-align: .12em;
  background: color-mix(in srgb, #2f8f86 24%, transparent); }
button.tk-badge { border: none; color: inherit; font-family: inherit; cursor: pointer; }
button.tk-badge:hover { background: color-mix(in srgb, #2f8f86 45%, transparent); }
button.tk-open:focus-visible, .tk-copy:focus-visible, .tk-wide:focus-visible {
  outline: 2px solid #2f8f86; outline-offset: 2px; }
.tk-unsupported { background: none; color: inherit; text-decoration: underline wavy #c77d0a 1.5px;
  text-underline-offset: .28em; }
.tk-differs { background: color-mix(in srgb, #2f8f86 22%, transparent); color: inherit; border-radius: .2em; }
.tk-short { background: none; color: inherit; font-weight: 700; }
.tk-source { border: 1px solid color-mix(in srgb, currentColor 15%, transparent); border-radius: .6rem;
  padding: .6rem .85rem; margin: .4rem 0; background: color-mix(in srgb, currentColor 3%, transparent); }
button.tk-source { display: block; width: 100%; max-width: 48rem; text-align: left; color: inherit; font: inherit;
  line-height: 1.6; cursor: pointer; }
button.tk-source:hover { border-color: #2f8f86; }
.tk-source summary { cursor: pointer; list-style: none; line-height: 1.6; }
.tk-source summary::-webkit-details-marker { display: none; }
.tk-source summary:hover .tk-name { text-decoration: underline; }
.tk-source summary:focus-visible { outline: 2px solid #2f8f86; outline-offset: 3px; border-radius: .3rem; }
.tk-name { overflow-wrap: anywhere; }
.tk-page { font-size: .8rem; padding: .05rem .45rem; margin-left: .3rem; border-radius: .4rem;
  white-space: nowrap;
  background: color-mix(in srgb, currentColor 8%, transparent); }
.tk-quote { display: block; white-space: pre-wrap; overflow-wrap: anywhere; margin: .4rem 0 .1rem; padding-left: .75rem;
  border-left: 3px solid #2f8f86; font-size: .94rem; line-height: 1.65; }
.tk-passage { white-space: pre-wrap; overflow-wrap: anywhere; margin-top: .6rem; padding-top: .6rem;
  border-top: 1px solid color-mix(in srgb, currentColor 12%, transparent); font-size: .92rem;
  line-height: 1.7; }
.tk-highlight { background: color-mix(in srgb, #f2c12e 42%, transparent); color: inherit;
  border-radius: .2em;
  padding: .05em .1em; }
.tk-notice { border-radius: .5rem; padding: .55rem .85rem; margin: .5rem 0; font-size: .93rem;
  line-height: 1.6;
  border-left: 4px solid #2f8f86; background: color-mix(in srgb, #2f8f86 10%, transparent);
  white-space: pre-line; overflow-wrap: anywhere; }
.tk-notice ul { margin: .2rem 0 0; padding-left: 1.2rem; }
.tk-warn { border-color: #c77d0a; background: color-mix(in srgb, #c77d0a 11%, transparent); }
.tk-error { border-color: #c0392b; background: color-mix(in srgb, #c0392b 11%, transparent); }
.tk-documents { margin-top: .4rem; max-height: 68vh; overflow-y: auto; }
.tk-document { display: flex; justify-content: space-between; gap: .8rem; align-items: baseline; width: 100%;
  margin: 0; padding: .45rem .4rem; font: inherit; font-size: .92rem; color: inherit; text-align: left;
  background: none; border: none; cursor: pointer;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.tk-document:hover, .tk-document[aria-current] { background: color-mix(in srgb, #2f8f86 12%, transparent); }
.tk-folder { padding: .6rem .4rem .25rem; font-size: .85rem; font-weight: 600; overflow-wrap: anywhere; }
.tk-document .tk-meta { text-align: right; }
.tk-document:hover .tk-meta, .tk-document[aria-current] .tk-meta { opacity: .85; }
/* White on the dark theme's light green is hard to read. */
[data-testid="stMultiSelect"] span[title], [data-testid^="stBaseButton-primary"] p {
  color: light-dark(#fff, #0d1f1d) !important; }
ul.tk-members.tk-members { list-style: none; margin: .2rem 0 .6rem; padding: 0; }
li.tk-member { margin: 0; padding: .5rem .1rem .5rem .7rem; border-left: 3px solid transparent;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); overflow-wrap: anywhere; }
li.tk-member.tk-taken { border-left-color: #2f8f86; background: color-mix(in srgb, #2f8f86 6%, transparent); }
.tk-taken .tk-meta { opacity: .8; }
.tk-found-note { white-space: pre-line; overflow-wrap: anywhere; font-size: .93rem; line-height: 1.6; margin: .2rem 0; }
.tk-member-head { line-height: 1.7; }
.tk-member-text { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .94rem; line-height: 1.7;
  margin: .2rem 0; }
.tk-chosen { background: color-mix(in srgb, #2f8f86 24%, transparent); font-weight: 600; }
.tk-rejected { border-color: #c0392b; text-decoration: line-through; text-decoration-color: #c0392b88; }
.tk-setting { padding: .5rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.tk-cost { font-size: .82rem; line-height: 1.6; overflow-wrap: anywhere; }
.tk-setting code { overflow-wrap: anywhere; font-size: .88rem; }
.tk-table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0; }
.tk-wide { overflow-x: auto; }
.tk-table th, .tk-table td { text-align: left; padding: .25rem .9rem .25rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
[class*="st-key-icon_"] button p { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
.tk-answer, .tk-draft { max-width: 48rem; }
.tk-copy { border: 1px solid color-mix(in srgb, currentColor 22%, transparent); background: none; color: inherit;
  border-radius: .5rem; font: inherit; font-size: .82rem; padding: .15rem .6rem; cursor: pointer; }
.tk-copy:hover { border-color: #2f8f86; }
.tk-panel { border-radius: .4rem; outline: none; scroll-margin-top: 7rem; }
@media (min-width: 641px) {
  .st-key-source { position: sticky; top: 4.2rem; max-height: calc(100vh - 12.5rem); overflow-y: auto; }
}
.st-key-conversations { max-height: 34vh; overflow-y: auto; padding: 0 .3rem; }
.st-key-conversations button { justify-content: flex-start; text-align: left; padding-left: .4rem; }
.st-key-conversations button p { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
/* Scripts, which show nothing and take no room. */
.st-key-signals, .st-key-streamlit_texts { position: absolute; }
.st-key-suggestions button { justify-content: flex-start; text-align: left; }
section[data-testid="stSidebar"] [data-testid="stVerticalBlock"] { gap: .6rem; }
.tk-panel-title { font-weight: 600; line-height: 1.5; overflow-wrap: anywhere; }
.tk-facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .8rem; margin: .5rem 0;
  font-size: .86rem; line-height: 1.6; }
.tk-facts span { overflow-wrap: anywhere; }
.tk-facts span:nth-child(odd) { opacity: .75; }
.tk-around { opacity: .72; }
.tk-shot { position: relative; display: block; width: 100%; border-radius: .4rem; overflow: hidden;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.tk-shot img { display: block; width: 100%; height: auto; }
.tk-progress { display: flex; align-items: center; gap: .6rem; }
.tk-progress::before { content: ""; width: .55rem; height: .55rem; border-radius: 50%; background: #2f8f86;
  animation: tk-pulse 1.1s ease-in-out infinite; }
@keyframes tk-pulse { 50% { opacity: .2; } }
@media (prefers-reduced-motion: reduce) { .tk-progress::before { animation: none; } }
.tk-hero { margin: 3vh 0 .4rem; }
.stMainBlockContainer { max-width: 80rem; }
@media (max-width: 640px) {
  .tk-hero { margin-top: 1rem; }
  .tk-title { font-size: 1.6rem; }
  .stMainBlockContainer { padding: 4rem 1rem 2rem; }
}
</style>"""
