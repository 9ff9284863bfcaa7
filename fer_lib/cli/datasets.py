"""`datasets`: the catalogue, downloads, and the check of a copy."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_lib.cli import streams
from fer_lib.cli.arguments import DATA_HELP, add_data, check_outputs, load_data
from fer_lib.datasets import catalogue
from fer_lib.errors import one_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    keys = list(catalogue.list_datasets())
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("list", help="print the catalogue, or all about one set").add_argument
    add("name", nargs="?", metavar="NAME", choices=keys)
    add("--markdown", action="store_true", help="print datasets/README.md")

    text = "download an open set, explain how to get another"
    add = actions.add_parser("fetch", help=text).add_argument
    add("name", metavar="NAME", choices=keys)
    add("--source", metavar="FILE", help="a file or http(s) address instead")
    add("--folder", type=Path, metavar="DIR", help="other than in the cache")
    add("--checksum", metavar="md5:...", help="what the source must have")
    add("--max-bytes", type=int, metavar="N", help="unpacked size of an archive (default: 4 GB)")

    checking = actions.add_parser("check", help="is a copy whole, clean and free of leakage?")
    checking.add_argument("data", metavar="PATH", help=DATA_HELP)
    add_data(checking, detector="none")
    checking.add_argument("--model", metavar="MODEL", help="compare the order of the labels with")
    checking.add_argument("--json", type=Path, metavar="FILE", help="write the figures, too")


def run(arguments: argparse.Namespace) -> int:
    return {"list": _list, "fetch": _fetch, "check": _check}[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    entries = catalogue.list_datasets().values()
    if arguments.name is not None:
        print(catalogue.dataset_info(arguments.name))
    elif arguments.markdown:
        print(catalogue.to_readme(entries), end="")
    else:
        print(catalogue.to_table(entries))
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    from fer_lib.datasets import fetch

    info = catalogue.dataset_info(arguments.name)
    limits = {"checksum": arguments.checksum, "max_bytes": arguments.max_bytes}
    try:
        path = fetch.fetch_dataset(
            arguments.name, arguments.source, arguments.folder, **limits, return_path=True
        )
    except fetch.AccessRequiredError as error:
        print(fetch.how_to_get(info, arguments.folder))
        streams.report("datasets", one_line(error))
        return 1
    print(path)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    check_outputs([arguments.data], json=arguments.json)
    if arguments.model is not None or arguments.detector != "none":
        streams.load_backend_quietly()
    from fer_lib.audit import check_dataset

    model = None
    if arguments.model is not None:
        from fer_lib.pretrained import load_pretrained

        model = load_pretrained(arguments.model)
    report = check_dataset(load_data(arguments, model), model)
    print(report)
    if arguments.json is not None:
        report.to_json(arguments.json)
    return 1 if any(finding.severity == "error" for finding in report.findings) else 0
