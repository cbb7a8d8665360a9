"""`voice-agent serve`: take calls at an HTTP address."""

import argparse
import gc
import logging
import socket
import sys
from typing import TYPE_CHECKING

from voice_agent import ice_servers
from voice_agent.commands import network
from voice_agent.errors import InputError

if TYPE_CHECKING:
    from voice_agent.http.calls import Simulation


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser("serve", help="take calls, and serve the page that makes them")
    parser.add_argument(
        "--graph",
        default="auto",
        metavar="NAME|FILE",
        help="default: the best one that works here",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--ice-server", action="append", default=[], metavar="stun:HOST[:PORT]",
        help="by which both ends learn their outer addresses; may be given again. Environment: "
        f"{ice_servers.SERVERS_VARIABLE}; TURN: {ice_servers.TURN_VARIABLE}, {ice_servers.SECRET_VARIABLE}",
    )  # fmt: skip
    parser.add_argument("--relay-only", action="store_true", help="send all sound through the TURN server")
    parser.add_argument("--max-calls", type=int, default=64, metavar="N", help="more callers are told: busy")
    parser.add_argument(
        "--log-level", default="warning", choices=("debug", "info", "warning", "error"),
        help="debug also logs what is said (default: %(default)s)",
    )  # fmt: skip
    network.add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    logging.basicConfig(
        level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    simulation = _simulation(arguments)
    servers = ice_servers.configured(arguments.ice_server, arguments.relay_only)
    if arguments.log_level != "debug":  # they log addresses and every packet of a handshake
        for name in ("aioice", "aiortc", "httpx"):
            logging.getLogger(name).setLevel("WARNING")
    listener = listen(arguments.host, arguments.port)

    import uvicorn  # here, so that other verbs start fast

    from voice_agent.choice import choose, table
    from voice_agent.server import make_app

    if simulation is not None:
        print(f"Every call passes through the simulated network '{arguments.network}'.", file=sys.stderr)

    print("Loading models ...", file=sys.stderr, flush=True)
    choice = choose(arguments.graph)
    print(table(choice))
    host, port = listener.getsockname()[:2]
    print(f"Serving calls at http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    app = make_app(choice.graph, max_calls=arguments.max_calls, simulation=simulation, servers=servers)
    freeze()
    config = uvicorn.Config(
        app,
        log_level=arguments.log_level,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def freeze() -> None:
    """Tell the garbage collector that what there is now, models and modules, stays.

    It then walks through what calls leave behind alone: a walk through all of the graph `embedded` stops
    every call for 80 ms. And it walks sooner: it waits for new objects of a quarter of those it looks at.
    """
    gc.collect()
    gc.freeze()


def _simulation(arguments: argparse.Namespace) -> "Simulation | None":
    """The network in front of every call, None for none. Raises InputError."""
    if not arguments.network:
        return None
    from voice_agent.http.calls import Simulation
    from voice_agent.network.profile import load

    return Simulation(load(arguments.network), arguments.network_seed)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises InputError if the address cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot listen on {host}:{port}: {error}; choose another with --port") from error
    return listener
