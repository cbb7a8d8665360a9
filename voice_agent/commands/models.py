"""`voice-agent models`: list, pull, find, verify and remove models. Nothing else downloads any."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voice_agent.models.catalogue import Model
    from voice_agent.models.store import Store

ABOUT = (
    "Models that are downloaded once. The folder (VOICE_AGENT_MODELS, else the user's data folder) can be "
    "copied to a machine without a network; HF_ENDPOINT names a mirror of the hub."
)


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verbs `models list`, `pull`, `path`, `verify` and `remove`."""
    top = subparsers.add_parser("models", help="list, pull, verify and remove models", description=ABOUT)
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verbs.add_parser("list", help="name the models, and which of them are here").set_defaults(run=list_models)
    about = "bring models here; an interrupted pull goes on where it ended"
    pull = verbs.add_parser("pull", help=about, description=about)
    pull.add_argument("names", nargs="+", metavar="NAME", help="as in `voice-agent models list`")
    pull.add_argument(
        "--from", dest="source", type=Path, metavar="PATH",
        help="take one model out of this folder, wheel or zip file instead of the hub",
    )  # fmt: skip
    pull.set_defaults(run=run_pull)
    path = verbs.add_parser("path", help="print the folder of all models, or of one")
    path.add_argument("name", nargs="?", default="", metavar="NAME")
    path.set_defaults(run=print_path)
    about = "compare files with the checksums they had when they came here; exit status 1 if any differs"
    verify = verbs.add_parser("verify", help="check that models are whole", description=about)
    verify.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")
    verify.set_defaults(run=run_verify)
    remove = verbs.add_parser("remove", help="delete models, and what is left of interrupted pulls")
    remove.add_argument("names", nargs="+", metavar="NAME")
    remove.set_defaults(run=run_remove)


def list_models(arguments: argparse.Namespace) -> int:
    """A line for each: name, what for, languages, size, licence, whether it is here."""
    from voice_agent.models import catalogue

    store = _store()
    rows = [("NAME", "FOR", "LANGUAGES", "SIZE", "LICENCE", "HERE")]
    rows += [
        (model.name, model.kind.role, " ".join(model.languages), f"{model.size_mb} MB", model.licence,
         _state(store, model))
        for model in catalogue.models().values()
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _state(store: "Store", model: "Model") -> str:
    if manifest := store.manifest(model):
        return f"yes, {manifest.size / 1e6:.0f} MB"
    if part := store.partial_bytes(model):
        return f"in part, {part / 1e6:.0f} MB: pull it again"
    return "no"


def run_pull(arguments: argparse.Namespace) -> int:
    """One after the other; what is here and whole is left alone."""
    from voice_agent.errors import InputError
    from voice_agent.models import catalogue, pull

    models = [catalogue.find(name) for name in arguments.names]
    if arguments.source and len(models) > 1:
        raise InputError(f"--from: expected one model to take out of it, got {len(models)}")
    store = _store()
    for model in models:
        manifest = store.manifest(model)
        if manifest and not store.problems(model, manifest):
            print(f"{model.name} is here and whole: {store.folder(model)}")
        elif arguments.source:
            print(f"{model.name} is in {pull.from_path(store, model, arguments.source)}")
        else:
            print(f"{model.name} is in {pull.from_hub(store, model)}")
    return 0


def print_path(arguments: argparse.Namespace) -> int:
    """For scripts: the folder and nothing else."""
    from voice_agent.errors import ModelError
    from voice_agent.models import catalogue
    from voice_agent.models.store import how_to_get

    store = _store()
    if not arguments.name:
        print(store.root)
        return 0
    model = catalogue.find(arguments.name)
    if store.manifest(model) is None:
        raise ModelError(f"model '{model.name}' is not here: {how_to_get(model.kind.name, model.name)}")
    print(store.folder(model))
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """A line for each model that is whole, and one for each file that is not."""
    from voice_agent.models import catalogue

    store = _store()
    models = [catalogue.find(name) for name in arguments.names] or [model for model, _ in store.installed()]
    whole = True
    for model in models:
        manifest = store.manifest(model)
        problems = store.problems(model, manifest) if manifest else [f"{model.name} is not here"]
        if problems:
            whole = False
            print(*problems, sep="\n", file=sys.stderr)
            print(f"{model.name}: run `voice-agent models pull {model.name}`", file=sys.stderr)
        else:
            print(f"{model.name}: ok")
    if not models:
        print(f"no models in {store.root}", file=sys.stderr)
    return 0 if whole else 1


def run_remove(arguments: argparse.Namespace) -> int:
    """Tell what was freed."""
    from voice_agent.models import catalogue

    store = _store()
    for model in [catalogue.find(name) for name in arguments.names]:
        print(f"{model.name}: {store.remove(model) / 1e6:.0f} MB freed")
    return 0


def _store() -> "Store":
    from voice_agent.models.store import Store, root

    return Store(root())
