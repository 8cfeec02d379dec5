"""The site of the documentation: every page is reachable, and it loads nothing from other hosts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ADDED = {"changelog.md", "contributing.md"}  # by docs/assets/hooks.py


def test_the_sidebar_has_every_page_once() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = re.search(r"^nav:\n((?: .*\n)+)", settings, re.MULTILINE)
    assert nav
    listed = re.findall(r"(\S+\.md)$", nav[1], re.MULTILINE)
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(listed) == sorted(pages | ADDED)


def test_every_formula_can_be_converted() -> None:
    math_core = pytest.importorskip("math_core")
    converter = math_core.LatexToMathML(fancy_error=False)
    found = 0
    for page in DOCS.rglob("*.md"):
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        text = re.sub(r"`[^`\n]*`", "", text)
        assert text.count("$") % 2 == 0, page
        for formula in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, re.S):
            mathml = converter.convert_with_local_state("".join(formula), displaystyle=True)
            assert mathml.startswith("<math"), page
            found += 1
    assert found > 100


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("mkdocs", "material", "mkdocstrings", "math_core", "ziamath"):
        pytest.importorskip(module, reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return folder


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    tags = re.compile(r"<(?:script|img|iframe|link)\b[^>]*>")
    elsewhere = re.compile(r"""\b(?:src|href)=["']?https?:""")
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))
    for page in pages:
        found = tags.findall(page.read_text(encoding="utf-8"))
        assert any("assets/site.css" in tag for tag in found)
        assert [tag for tag in found if elsewhere.search(tag)] == [], page


def test_formulae_are_mathml_and_have_their_font(site: Path) -> None:
    page = (site / "guide" / "recursion" / "index.html").read_text(encoding="utf-8")
    assert page.count('<div class="formula"><math display="block">') > 5
    assert all('class="arithmatex"' not in p.read_text("utf-8") for p in site.rglob("*.html"))
    assert (site / "assets" / "STIXTwoMath-Regular.ttf").stat().st_size > 10**6
    assert not list(site.rglob("hooks.py"))
