import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
TEXT = README.read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_there_are_snippets_for_sweep_and_research():
    assert len(SNIPPETS) >= 2


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippets_run(snippet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "README.md", "exec"), {})


def test_options_named_in_the_readme_exist(capsys):
    from stylejax.cli.entry import main

    with pytest.raises(SystemExit):
        main(["transfer", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL))
    named = set(re.findall(r"--[a-z-]+", "\n".join(re.findall(r"stylejax transfer.*", shell))))
    assert named and named <= known
