import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

from src.utils.datasets import DATASETS, DEMONSTRATION
from src.utils.pipeline.stages import source_files
from src.utils.settings import PROJECT_ROOT, Settings


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=list(DATASETS))
def test_every_dataset_names_a_function_that_fetches_it(dataset):
    fetch = pkgutil.resolve_name(dataset.fetch)
    assert list(inspect.signature(fetch).parameters) == ["settings", "progress"]
    assert fetch.__module__ == dataset.module
    assert DATASETS[dataset.name] is dataset is Settings(source=dataset.name).dataset


def test_no_code_asks_which_dataset_it_is():
    """What differs between datasets is a field of their entries."""
    names = "|".join(DATASETS)
    asks = re.compile(rf"""source\b.{{0,20}}\s(?:==|!=|in)\s.{{0,3}}["'](?:{names})["']""")
    modules = (PROJECT_ROOT / "src").rglob("*.py")
    assert [path.name for path in modules if asks.search(path.read_text(encoding="utf-8"))] == []


def test_the_demonstration_notice_is_written_once():
    files = [path for kind in ("*.py", "*.js", "*.html") for path in (PROJECT_ROOT / "src").rglob(kind)]
    assert "a demonstration" in DEMONSTRATION
    texts = {path.name: path.read_text(encoding="utf-8").lower() for path in files}
    assert [name for name, text in texts.items() if "a demonstration" in text] == ["datasets.py"]


def test_the_readme_lists_every_dataset():
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    assert f"| `DATA_SOURCE` | {', '.join(f'`{name}`' for name in DATASETS)} |" in text


def test_a_dataset_is_made_from_its_inputs_or_from_data_dir(tmp_path):
    def inputs(source, data_dir=None):
        files = source_files(Settings(source=source, data_dir=data_dir, root=tmp_path))
        return [path.relative_to(tmp_path).as_posix() for path in files]

    lists = ["data/sample_sources.csv", "data/sample_rejected.csv"]
    assert inputs("sample") == [*lists, "requirements-sample.txt"]
    assert inputs("kaggle") == inputs("kaggle", tmp_path / "mine") == ["data/raw/kaggle/train.csv"]
    assert inputs("folder") == ["data/raw/folder/train.csv"]
    assert inputs("folder", tmp_path / "mine") == ["mine"]
    assert all((PROJECT_ROOT / name).is_file() for name in DATASETS["sample"].inputs)


def test_settings_bring_nothing_but_the_standard_library():
    code = """
import sys
before = set(sys.modules)
import src.utils.settings
print(sorted({name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("['src']", "")
