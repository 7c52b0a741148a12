"""Every page of the manual is followed from top to bottom, and prints what it shows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lobule.config import Config, load_config
from lobule.data.phantom import PhantomSummary
from lobule.pipeline import Run
from tests.manual.blocks import NOT_RUN, Page, all_pages, read_page
from tests.manual.commands import commands_of, faults_of
from tests.manual.output import is_as_shown, without_progress
from tests.manual.session import Session, follow, providers
from tests.tiny_backbone import install_tiny_graph, tiny_backbone

_PAGES = all_pages()
# Their commands need a network, real images or a quiet machine, or are run by the tests of what they describe.
_NOT_FOLLOWED = {
    "README.md",
    *(f"docs/{name}.md" for name in ("manual", "performance", "service", "starter", "licences")),
}
_GUIDES = [page for page in _PAGES if page.name not in _NOT_FOLLOWED]
_RUN = [
    page
    for page in _GUIDES
    if any(block.is_run and (block.steps or block.language == "python") for block in page.blocks)
]


_EXAMPLE = """---
needs: [tissue]
---
# Page

```console
$ lobule data scan tissue \\
    --out m.csv
images 64
$ echo $?
0
```

```yaml title="mine.yaml"
seed: 1
```

```console title="Not run by the tests: needs a GPU"
$ lobule doctor
```
"""


@pytest.fixture
def _tiny() -> Iterator[None]:
    with tiny_backbone():
        install_tiny_graph()
        yield


@pytest.mark.slow
@pytest.mark.keras
@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("page", _RUN, ids=lambda page: page.name)
def test_every_command_of_the_page_works_and_prints_what_it_shows(
    page: Page, phantom: PhantomSummary, finished: Run, tmp_path: Path
) -> None:
    for name in page.needs:
        providers(phantom.folder, finished.folder)[name](tmp_path)
    with contextlib.closing(Session(tmp_path, page.as_written)) as session:
        steps = list(follow(page, session))
    for step, printed in steps:
        assert step.output is None or is_as_shown(step.output, printed), (
            f"{page.name}: `{step.command}` printed\n{printed}\nwrite it into the page with "
            f"`python -m tests.manual.refresh {page.name}`"
        )


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_command_option_and_setting_that_a_page_shows_exists(page: Page) -> None:
    assert [fault for command in commands_of(page) for fault in faults_of(command)] == []


@pytest.mark.parametrize("page", _GUIDES, ids=lambda page: page.name)
def test_a_block_that_is_not_run_says_why(page: Page) -> None:
    assert [
        block.line for block in page.blocks if block.title.startswith(NOT_RUN) and len(block.title) < len(NOT_RUN) + 10
    ] == []
    assert [block.line for block in page.blocks if block.language in ("bash", "sh", "shell")] == [], "use console"


@pytest.mark.parametrize("page", _GUIDES, ids=lambda page: page.name)
def test_settings_that_a_page_shows_as_a_file_are_allowed(page: Page, tmp_path: Path) -> None:
    for block in page.blocks:
        if block.language == "yaml" and block.title.startswith("settings"):
            (tmp_path / block.title).write_text(block.body, encoding="utf-8")
            assert load_config(tmp_path / block.title) != Config(), f"line {block.line} changes nothing"


def test_faults_are_found() -> None:
    assert faults_of("train images --out RUN --set head.hidden=8 --backbone vgg16") == []
    assert faults_of("--version") == faults_of("data") == faults_of("COMMAND --help") == []
    assert faults_of("paint x") == ["lobule paint: no such command"]
    assert faults_of("data paint x") == ["lobule data paint: no such command"]
    assert faults_of("train x [--outt RUN]") == ["lobule train: no option --outt"]
    assert faults_of("train x --set head.depth=3") == ["--set head.depth: no such setting"]


def test_output_may_differ_in_decimals_and_where_the_page_leaves_lines_out() -> None:
    assert is_as_shown("auroc  0.58\n...\n24 cases\n", "auroc 0.61\nx\ny\n24  cases\n")
    assert is_as_shown("a\n...\n", "a\nb\nc\n")
    assert not is_as_shown("auroc 0.58\n", "auroc 0.81\n")
    assert not is_as_shown("24 cases\n", "25 cases\n")
    assert not is_as_shown("a\n", "a\nb\n")
    assert without_progress("scan: 1/2\nscan: 2/2\nimages  64 \n") == "images  64\n"


def test_a_page_is_read_into_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.manual.blocks.ROOT", tmp_path)
    path = tmp_path / "page.md"
    path.write_text(_EXAMPLE)
    page = read_page(path)
    assert page.needs == ("tissue",)
    assert not page.as_written
    run, file, left_out = page.blocks
    assert [step.command for step in run.steps] == ["lobule data scan tissue --out m.csv", "echo $?"]
    assert [step.output for step in run.steps] == ["images 64\n", "0\n"]
    assert page.text[run.steps[0].start : run.steps[0].end] == "images 64\n"
    assert (file.title, file.body, file.line) == ("mine.yaml", "seed: 1\n", 14)
    assert not left_out.is_run
