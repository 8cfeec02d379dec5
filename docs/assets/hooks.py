"""Hooks of MkDocs: formulae become MathML, and two pages come from the top of the repository."""

import html
import re
from pathlib import Path

from math_core import LatexToMathML
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_FORMULA = re.compile(
    r'<(?:span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</(?:span|div)>', re.S
)
_converter = LatexToMathML(fancy_error=False)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the changelog and the guide for contributors, with links as seen from the pages."""
    top = Path(config.config_file_path).parent
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        text = (top / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name.lower(), content=text))
    return files


def on_page_content(html: str, **_: object) -> str:
    """Replace what `pymdownx.arithmatex` found; a formula with a mistake ends the build."""
    return _FORMULA.sub(_as_mathml, html)


def _as_mathml(found: re.Match[str]) -> str:
    opening, formula = found.groups()
    display = opening == "["
    mathml: str = _converter.convert_with_local_state(html.unescape(formula), displaystyle=display)
    return mathml
