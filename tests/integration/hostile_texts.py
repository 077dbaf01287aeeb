"""Names and values that would like to be something else than text on a page."""

from __future__ import annotations

_MARKUP = (
    "<script>fired(1)</script>",
    "</title><script>fired(2)</script>",
    "</textarea><script>fired(3)</script>",
    "</style><script>fired(4)</script>",
    "<img src=x onerror=fired(5)>",
    '"><img src=x onerror=fired(6)>',
    "'><svg onload=fired(7)>",
    '" onmouseover="fired(8)" x="',
    "' onfocus='fired(9)' autofocus='",
    "<svg><script>fired(10)</script></svg>",
    "<math><mtext></mtext><mglyph><style><img src onerror=fired(11)>",
    "<a href=javascript:fired(12)>x</a>",
    "javascript:fired(13)",
    "data:text/html,<script>fired(14)</script>",
    "<iframe srcdoc='<script>fired(15)</script>'>",
    "<form action=//evil.example><button>x",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{display:none}</style>",
    "<div style='position:fixed;inset:0'>",
    "<!-- ",
    "--><script>fired(16)</script>",
    "<![CDATA[ x ]]>",
    "&lt;script&gt;fired(17)&lt;/script&gt;",
    "&#60;script&#62;fired(18)",
    "&quot; onclick=&quot;fired(19)",
    "<div hx-get=/logout hx-trigger=load>",
    "<div data-hx-post=/logout data-hx-trigger=load>",
    "<hx-partial hx-target=body>x</hx-partial>",
    "<template><script>fired(20)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=fired(21)>'>",
    "<input name=csrf value=x>",
    "<details open ontoggle=fired(22)>",
    "<video><source onerror=fired(23)></video>",
    "<plaintext>",
)
_TEMPLATES = (
    "{{ 7 * 7 }}",
    "{% include '/etc/passwd' %}",
    "{{ ''.__class__.__mro__ }}",
    "{# x #}",
    "${7*7}",
    "#{7*7}",
    "<%= 7 * 7 %>",
    "{{constructor.constructor('fired(24)')()}}",
)
_CHARACTERS = (
    "\u202eevil\u202c",
    "\u2066x\u2069\u202d",
    "\u200b\u200d\ufeff",
    "a\x00b",
    "\x1b[31mred\x1b[0m",
    "\x9b31m",
    "two\nlines",
    "carriage\rreturn",
    "tab\there",
    "\u2028\u2029",
    "\uff1cscript\uff1efired(25)\uff1c/script\uff1e",
    "\U0001f469\u200d\U0001f680",
    "e\u0301\u0301\u0301\u0301\u0301\u0301",
    "\u0627\u0644\u0633\u0644\u0627\u0645 <b>",
    "\u05e9\u05dc\u05d5\u05dd",
    "\ufffe\uffff",
    "%3Cscript%3Efired(26)%3C/script%3E",
    "..%2f..%2fetc%2fpasswd",
    "../../admin",
    "?format=csv&user=x#frag",
    "=cmd|' /C calc'!A0",
    "x" * 200,
)
_WRAPS = ("{}", " {} ", '"{}"', "a{}b")

_WRAPPED = 34

HOSTILE = (
    *(wrap.replace("{}", text) for text in _MARKUP[:_WRAPPED] for wrap in _WRAPS),
    *(*_MARKUP[_WRAPPED:], *_TEMPLATES, *_CHARACTERS),
)
"""168 of them."""
