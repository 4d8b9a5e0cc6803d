"""A run's results and a benchmark, as small as they can be."""

from src.utils.estimate import Estimate

METRIC = Estimate(0.641, 0.552, 0.72)
HEADER = {
    "source": "sample",
    "split": "group",
    "seed": 42,
    "n_train": 480,
    "n_validation": 120,
    "n_test": 150,
}
RESULTS = {
    **HEADER,
    "models": {"cnn_deck": {"balanced_accuracy": METRIC, "auc": METRIC, "f1": METRIC}},
}


def way(rate):
    return {"requests_per_second": rate, "p50_ms": 90.4, "p95_ms": 210.0}


def limit(most, share, rate):
    return {
        "pictures_per_second": most,
        "share": share,
        "rates": {"L, float32": {"rate": rate, "unit": "GFLOP/s", "needed": 1.0}},
    }


BENCHMARK = {
    "machine": {"processor": "P", "cores": 2, "training_precision": "float32, because of P"},
    "pictures": "8 pictures",
    "once": {"seconds": {"import it": 0.42, "ask it": 1.0}},
    "evaluating": {
        "pictures": 1000,
        "predict": {"pictures_per_second": 13.42, "busy_cores": 1.95},
        "evaluate": {"pictures_per_second": 10.2, "busy_cores": 1.8},
    },
    "tasks": [
        {"name": "work", "deck": {"pictures_per_second": 5.0}, "ours": {"pictures_per_second": 1250.0}}
        | {"times_faster": 250.0, "limit": limit(2000.0, 0.625, 88.0)},
        {"name": "more", "other": "one session"}
        | {"deck": {"pictures_per_second": 2.0}, "ours": {"pictures_per_second": 3.0}, "times_faster": 1.5},
        {"name": "alone", "ours": {"pictures_per_second": 7.0}, "limit": limit(9.0, 0.778, 92.0)},
    ],
    "server": {
        "start_seconds": {"deck": 9.1, "ours": 1.2},
        "memory_mb": {"deck": 700.2, "ours": 250.0},
        "clients": {"1": {"deck": way(10.0), "ours": way(55.0), "times_faster": 5.5}},
        "best": {
            "start_seconds": {"ours": 3.0},
            "memory_mb": {"ours": 800.0},
            "clients": {"1": {"ours": way(9.0)}},
        },
    },
}
