"""The long programme: its steps are targets of the Makefile, and a step that fails leaves the page as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests import proof

if TYPE_CHECKING:
    import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"


def test_each_step_is_a_target() -> None:
    """Each step calls a target that the Makefile has."""
    targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE.read_text("utf-8"), re.MULTILINE))
    assert {step.target.split()[0] for step in proof.STEPS} <= targets


def test_the_figures_are_added_up() -> None:
    """The page has a row for each step, and the sum of their tests and minutes."""
    one, two = proof.STEPS[:2]
    page = proof.page({one: proof.Outcome(1_200, 90.0), two: proof.Outcome(34, 30.0)})
    assert f"| `{one.target}` | {one.what} | 1200 | 1.5 |\n" in page
    assert page.endswith("| **all** | | 1234 | 2.0 |\n")


def test_a_failed_step_is_named_and_leaves_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All steps run, the failed one is named, the status is 1, and the page stays as it was."""
    page = tmp_path / "proof.md"
    page.write_text("the last run's")
    made = tmp_path / "Makefile"
    made.write_text("good:\n\t@echo '3 passed in 0.01s'\nbad:\n\t@echo '2 passed in 0.01s'; false\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(proof, "PAGE", page)
    monkeypatch.setattr(proof, "STEPS", (proof.Step("bad", "fails"), proof.Step("good", "passes")))
    assert proof.main() == 1
    said = capsys.readouterr().out
    assert "Failed: bad." in said
    assert "3 passed" in said
    assert page.read_text() == "the last run's"
    monkeypatch.setattr(proof, "STEPS", (proof.Step("good", "passes"),))
    assert proof.main() == 0
    assert "| `good` | passes | 3 |" in page.read_text()


def test_what_has_passed_is_not_run_again_on_the_same_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After a failure the next run has the failed step alone; on another commit, or a changed one, it has all."""
    (tmp_path / "Makefile").write_text(
        "good:\n\t@echo good >>ran; echo '3 passed'\nbad:\n\t@echo bad >>ran; test -e mended && echo '2 passed'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VENV", str(tmp_path))
    monkeypatch.setattr(proof, "PAGE", tmp_path / "proof.md")
    monkeypatch.setattr(proof, "STEPS", (proof.Step("good", "passes"), proof.Step("bad", "fails at first")))

    def ran(commit: str | None) -> list[str]:
        (tmp_path / "ran").write_text("")
        monkeypatch.setattr(proof, "_commit", lambda: commit)
        proof.main()
        return (tmp_path / "ran").read_text().split()

    assert ran("one") == ["good", "bad"]
    (tmp_path / "mended").touch()
    assert ran(None) == ["good", "bad"]
    assert ran("one") == ["bad"]
    assert "| **all** | | 5 |" in (tmp_path / "proof.md").read_text()
    assert ran("one") == []
    assert ran("two") == ["good", "bad"]
