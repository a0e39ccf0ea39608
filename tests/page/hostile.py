"""Owns texts that try to run in the page, and the trap that notices if one does; refuses to know where they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.sync_api import Dialog, Page

from tests.page.rig import Tab

ELSEWHERE = "evil.example"
_RUNS = """
window.__ran = [];
window.__xss = mark => window.__ran.push(`ran: ${mark}`);
for (const name of ['alert', 'confirm', 'prompt', 'open'])
    window[name] = text => window.__ran.push(`${name}: ${text}`);
document.addEventListener('securitypolicyviolation', event =>
    window.__ran.push(`the policy stopped ${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""
# The policy of the page stops most of what would run. That nothing of it was even made is looked for by itself.
_FOUND = r"""() => {
    const found = [...window.__ran];
    const addresses = ['href', 'src', 'srcset', 'action', 'formaction', 'data', 'poster', 'background', 'xlink:href'];
    const makers = 'iframe,frame,object,embed,applet,base,portal,form[action],meta[http-equiv],'
        + 'svg script,svg foreignObject,svg animate,svg set,svg use,video,audio,source,marquee';
    for (const one of document.querySelectorAll(makers)) found.push(`made: ${one.outerHTML.slice(0, 200)}`);
    for (const one of document.querySelectorAll('script'))
        if (!one.src.startsWith(location.origin) || one.textContent) found.push(`script: ${one.outerHTML}`);
    for (const one of document.querySelectorAll('*')) {
        for (const { name, value } of one.attributes) {
            if (/^on/i.test(name)) found.push(`listens: ${one.outerHTML.slice(0, 200)}`);
            if (name === 'style' && /url\(|expression|@import/i.test(value)) found.push(`styled: ${value}`);
            if (!addresses.includes(name.toLowerCase()) || !value) continue;
            const scheme = new URL(value, location.href).protocol;
            const safe = ['http:', 'https:', 'mailto:', 'xmpp:', 'irc:', 'ircs:', 'blob:'].includes(scheme);
            const image = one.localName === 'img' && /^data:image\/(png|jpeg|webp|gif);/.test(value);
            if (!safe && !image) found.push(`leads: ${one.outerHTML.slice(0, 200)}`);
        }
    }
    return found;
}"""


def payload(mark: str) -> str:
    """A text that runs wherever it is taken for HTML, in an attribute or a script too."""
    return (
        f"{mark}'\"></style></script></textarea></title><img src=x onerror=__xss('{mark}')>"
        f"<svg onload=__xss('{mark}')></svg><script>__xss('{mark}')</script>"
        f"<iframe srcdoc=\"<script>parent.__xss('{mark}')</script>\"></iframe><img src=//{ELSEWHERE}/{mark}.png>"
    )


def short(mark: str) -> str:
    """The same for a name: at most 60 characters."""
    return f"{mark}\"'><img src=x onerror=__xss('{mark}')><svg>"


@dataclass(kw_only=True)
class Trap:
    """Looks over one profile: what ran, what was made of a payload, which marks were there to be read."""

    found: list[str] = field(default_factory=list[str])
    seen: set[str] = field(default_factory=set[str])

    def look(self, page: Page) -> None:
        """Note what stands on the page now."""
        at = page.evaluate("location.pathname + location.search")
        self.found += [f"{at}: {one}" for one in page.evaluate(_FOUND)]
        read = page.evaluate(
            "[document.title, document.body.innerText, ...[...document.querySelectorAll('*')].flatMap("
            "one => [one.value, one.title, one.ariaLabel].filter(text => typeof text === 'string'))].join('\\n')"
        )
        self.seen |= set(re.findall(r"m\d+q", read))

    def told(self) -> str:
        """What was found, each once, for a message of a failed test."""
        return "\n".join(dict.fromkeys(self.found))


def set_up(tab: Tab) -> Trap:
    """The trap, in every page of the profile from its next load on."""
    trap = Trap()
    tab.context.add_init_script(_RUNS)

    def asked(dialog: Dialog) -> None:
        trap.found.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    tab.page.on("dialog", asked)
    tab.context.on("page", lambda page: trap.found.append(f"another page was opened: {page.url}"))
    return trap


def unfolded(page: Page) -> None:
    """Open what is folded, and look at each tab."""
    for _ in range(12):
        folded = page.locator("main [aria-expanded=false]:not([aria-haspopup])")
        if not folded.count():
            break
        folded.first.click(timeout=3000)
