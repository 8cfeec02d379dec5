"""Hooks of MkDocs: formulae become MathML, and some files come from outside the folder of pages."""

import html
import re
from importlib.metadata import distribution
from pathlib import Path

from math_core import LatexToMathML
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_FORMULA = re.compile(
    r'<(?:span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</(?:span|div)>', re.S
)
_converter = LatexToMathML(fancy_error=False)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the font of formulae, the changelog and the guide for contributors."""
    top = Path(config.config_file_path).parent
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        text = (top / name).read_text(encoding="utf-8")
        content = text.replace("](docs/", "](")  # links as seen from the other pages
        files.append(File.generated(config, name.lower(), content=content))
    # STIX Two Math, under the SIL Open Font License 1.1, which the file states.
    font = "STIXTwoMath-Regular.ttf"
    path = distribution("ziamath").locate_file(f"ziamath/fonts/{font}")
    files.append(File.generated(config, f"assets/{font}", abs_src_path=str(path)))
    return files


def on_page_content(html: str, **_: object) -> str:
    """Replace what `pymdownx.arithmatex` found; a formula with a mistake ends the build."""
    return _FORMULA.sub(_as_mathml, html)


def _as_mathml(found: re.Match[str]) -> str:
    opening, formula = found.groups()
    display = opening == "["
    mathml: str = _converter.convert_with_local_state(html.unescape(formula), displaystyle=display)
    return f'<div class="formula">{mathml}</div>' if display else mathml
