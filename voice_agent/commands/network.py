"""`voice-agent network`: the networks that `serve` and `call` can put in front of a call."""

import argparse

from voice_agent.errors import InputError

MAX_SECONDS = 24 * 3600
METAVAR = "PROFILE"
ABOUT = "pass calls through this network: a name from `voice-agent network list`, FILE.json or trace:FILE"


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verbs `network list` and `network show`."""
    top = subparsers.add_parser("network", help="list and show simulated networks")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verbs.add_parser("list", help="name the profiles that come along").set_defaults(run=list_profiles)
    about = "what a network does to voice: figures, and the delay drawn over time"
    one = verbs.add_parser("show", help=about, description=about)
    one.add_argument("profile", metavar=METAVAR, help="a name, FILE.json or trace:FILE")
    one.add_argument("--seconds", type=float, default=60.0, metavar="S", help="default: %(default)g")
    one.add_argument("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    one.set_defaults(run=show)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of verbs that make or take calls."""
    parser.add_argument("--network", default="", metavar=METAVAR, help=ABOUT)
    parser.add_argument(
        "--network-seed", type=int, default=1, metavar="N",
        help="the same seed does the same to the same packets (default: %(default)s)",
    )  # fmt: skip


def list_profiles(arguments: argparse.Namespace) -> int:
    """Their names, figures and descriptions."""
    from voice_agent.network import profile
    from voice_agent.network.plot import summary

    for name in profile.shipped():
        loaded = profile.load(name)
        print(f"{name:<16} {loaded.description}\n{'':<16} one way: {summary(loaded)}")
    print(f"{'trace:FILE':<16} A recorded link: mahimahi's format, or lines of `time in s, Mbit/s`.")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Draw one."""
    from voice_agent.network import plot, profile

    if not 0 < arguments.seconds <= MAX_SECONDS:
        raise InputError(f"--seconds: expected more than 0, at most {MAX_SECONDS}, got {arguments.seconds:g}")
    print(plot.show(profile.load(arguments.profile), arguments.seconds, arguments.seed))
    return 0
