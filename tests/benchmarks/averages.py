"""What the decay of the averaged weights costs trainings of few images: one row a size and decay.

    python tests/benchmarks/averages.py [--sizes 280 980 5000] [--decays 0 0.9 0.99 0.998]

Synthetic faces of seven classes, a fifth of them to select on; the recipe is the one that
`train` chooses for so many images, with the tiny network and at most 20 epochs, so that the
largest takes minutes. `recipe` is its own decay. Accuracy on 1,400 other faces.
"""

from __future__ import annotations

import argparse
import tempfile

import numpy as np
import pandas as pd

from fer_lib import training
from fer_lib.synthetic import make_faces

_NUM_TEST = 200  # faces of each class


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[280, 980, 5000])
    parser.add_argument("--decays", type=float, nargs="+", default=[0.0, 0.9, 0.99, 0.998])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    test_set = make_faces(_NUM_TEST, seed=options.seed + 1000)
    for size in options.sizes:
        faces = make_faces(-(-size // 7), seed=options.seed)[:size]
        chosen = np.random.default_rng(options.seed).permutation(size) < size // 5
        recipe = training.load_recipe(training.choose_recipe(size))
        recipe = recipe.replace(variant="tiny", epochs=min(20, recipe.epochs), seed=options.seed)
        rows = []
        decays = {"recipe": recipe.average_decay} | {str(each): each for each in options.decays}
        for name, decay in decays.items():
            config = recipe.replace(average_decay=decay)
            with tempfile.TemporaryDirectory() as folder:
                sets = faces[~chosen], faces[chosen]
                network, history = training.fit(config, *sets, folder, progress=False)
            predicted = network.predict(test_set.images, verbose=0).argmax(axis=1)
            best = max(row[key] for row in history for key in row if key.endswith("val_accuracy"))
            rows.append(
                {
                    "images": size,
                    "decay": f"{decay:g}" + (" (recipe)" if name == "recipe" else ""),
                    "steps": len(history) * ((size - size // 5) // min(config.batch_size, size)),
                    "validation": 100 * best,
                    "test": 100 * np.mean(predicted == test_set.labels),
                }
            )
        print(pd.DataFrame(rows).round(1).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
