"""A tiny finished run, made up: numbers, three figures, two executed notebooks, two documents."""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from src.utils.files import write_json, write_text
from src.utils.settings import Settings
from tests.slides.made_up_run import draw_figure, metrics

STAGES = """
[04_train_cnn]
question = "How well does it learn?"
reads = []
writes = []
parameters = []
minutes = 1

[05_confusion_matrix]
question = "How often is it right?"
reads = []
writes = []
parameters = []
minutes = 1
"""

CARD = """# Model card

See [notebook 05](notebooks/05_confusion_matrix.ipynb#takeaways), [the data](data/README.md#rights),
[the licence](LICENSE) and [a paper](https://example.com/paper).

<!-- results:begin -->
old numbers
<!-- results:end -->

![Share called AI](docs/figures/11_makers.png)
![Gone](docs/figures/10_robustness.png)
"""

DATA = "# Data\n\n## Rights\n\nSee the [model card](../MODEL_CARD.md).\n\n```sh\nrm -r data\n```\n"

FIGURES = {
    "04_losses.png": "04_train_cnn",
    "05_confusion_matrix.jpg": "05_confusion_matrix",
    "11_makers.png": "11_x",
}

TABLE = """<style scoped>td { color: red }</style><table border="1" class="dataframe">
<thead><tr style="text-align: right;"><th></th><th>Recall</th></tr><tr><th>Model</th><th></th></tr></thead>
<tbody><tr><th>chinchilla</th><td>0.57</td></tr></tbody></table>"""

HOSTILE = """<script src="https://example.com/a.js"></script>
<img src="https://example.com/b.png" alt="a pixel">
<p onclick="alert(1)">quiet words</p>"""


def write_run(root: Path, source: str = "sample") -> Settings:
    """Write the run below `root`."""
    settings = Settings(source=source, root=root)
    write_text(root / "notebooks" / "stages.toml", STAGES)
    write_text(root / "MODEL_CARD.md", CARD)
    write_text(root / "data" / "README.md", DATA)
    write_json(settings.reports_dir / "metrics.json", metrics(source))
    settings.figures_dir.mkdir(parents=True)
    for file in FIGURES:
        draw_figure(settings.figures_dir / file)
    write_text(settings.figures_dir / "04_losses.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>')
    index = [
        {"file": file, "notebook": notebook, "caption": f"What {file} shows.", "alt": f"Alt of {file}."}
        | ({"run": "sample, seed 7, commit 1a2b3c4d5e"} if file == "04_losses.png" else {})
        for file, notebook in FIGURES.items()
    ]
    write_json(settings.figures_dir / "index.json", index)
    for name, notebook in _notebooks(settings).items():
        write_text(settings.reports_dir / "notebooks" / f"{name}.ipynb", nbformat.writes(notebook))
    return settings


def _notebooks(settings: Settings) -> dict[str, nbformat.NotebookNode]:
    picture = base64.b64encode((settings.figures_dir / "04_losses.png").read_bytes()).decode()
    outputs = [
        new_output("stream", name="stderr", text="100%|██████| 25/25"),
        new_output("stream", name="stdout", text="\x1b[31mred words\x1b[0m"),
        new_output("execute_result", {"text/html": TABLE, "text/plain": "plain"}, execution_count=1),
        new_output("display_data", {"text/html": HOSTILE}),
        new_output(
            "display_data",
            {"image/png": picture, "text/plain": "What 04_losses.png shows."},
            metadata={"image/png": {"alt": "Alt of 04_losses.png."}},
        ),
        new_output("display_data", {"text/markdown": "- said in Markdown, refused: http://169.254.169.254/"}),
    ]
    first = [
        new_markdown_cell("# 04 · How well does it learn?"),
        new_markdown_cell("## Training\n\nOver `epochs`.\n\n## Training\n\nAgain."),
        new_code_cell('loss = "low"  # as told', outputs=outputs, execution_count=1),
        new_markdown_cell("**Next:** [05](05_confusion_matrix.ipynb), not [99](99_nowhere.ipynb)"),
    ]
    second = [
        new_markdown_cell("# 05 · How often is it right?\n\n## Takeaways\n\nSee [figures](../figures/x.png).")
    ]
    return {
        "04_train_cnn": new_notebook(cells=first),
        "05_confusion_matrix": new_notebook(cells=second),
    }
