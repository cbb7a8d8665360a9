"""`voice-agent graph`: check and show graph files without making a call."""

import argparse
import sys


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verbs `graph check`, `graph show` and `graph list`."""
    top = subparsers.add_parser("graph", help="check and show graph files")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("file", metavar="FILE", help="a graph file, or the name of a graph that comes along")
    one.add_argument("--graph", default="", metavar="NAME", help="which one, if FILE holds several")

    about = "find every mistake in a graph file: exit status 2, and a line for each"
    verbs.add_parser("check", parents=[one], help=about, description=about).set_defaults(run=check)

    show_parser = verbs.add_parser("show", parents=[one], help="draw a graph")
    show_parser.add_argument("--mermaid", action="store_true", help="as a Mermaid flow chart")
    show_parser.set_defaults(run=show)

    verbs.add_parser("list", help="name the graphs that come along").set_defaults(run=list_shipped)


def check(arguments: argparse.Namespace) -> int:
    """Exit status 0 and one line, or GraphError with every mistake."""
    from voice_agent import graph as graphs

    graph = graphs.load(arguments.file, arguments.graph)
    for notice in graph.notices:
        print(f"note: {notice}", file=sys.stderr)
    print(f"{graph.path}: ok: graph '{graph.name}', {len(graph.nodes)} nodes, {len(graph.edges)} edges")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Draw it."""
    from voice_agent import drawing
    from voice_agent import graph as graphs

    graph = graphs.load(arguments.file, arguments.graph)
    print(drawing.mermaid(graph) if arguments.mermaid else drawing.text(graph))
    return 0


def list_shipped(arguments: argparse.Namespace) -> int:
    """Their names, and where they are."""
    from voice_agent import graph as graphs

    for name in graphs.shipped():
        print(f"{name:<12} {graphs.locate(name)}")
    return 0
