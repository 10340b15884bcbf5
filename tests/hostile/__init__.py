"""What strangers could send: names of classes, archives."""

# Names that would act somewhere if they were taken for more than words.
NAMES = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "```\n# Title\n```",
    "a | b",
    "../../x",
    "line\nanother\r\n# third",
    "\u202egnp.exe\u2066\u200f",
    "x" * 10_000,
    "[link](javascript:alert(1)) ![](http://example.org/x.png)",
    "\x1b]0;title\x07\x1b[31mred",
    "$(touch here) `touch here` 'quote' \"quote\" \\",
    "=HYPERLINK(1)",
    "nul\x00byte \ud800",
    "CON",
    "",
]
