"""`benchmark`: the speed on this machine, ours beside the plain way, in one run."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="cnn", help="a shipped model's name, or a model folder")
    parser.add_argument("--repeats", type=int, default=30, help="timed calls of each kind")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import benchmark

    if arguments.repeats < 1:
        raise ValueError(f"Expected --repeats of at least 1. Received: {arguments.repeats}")
    print(benchmark.run_benchmark(arguments.model, arguments.repeats).to_string(index=False))
    return 0
