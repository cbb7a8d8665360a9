"""A graph as a picture: Mermaid for documents, plain text for a terminal."""

from voice_agent.graph import Graph, Node


def text(graph: Graph) -> str:
    """Every node in the order of the flow; below it, where each of its ports leads.

    client  client.webrtc
      ├─ call_started (CallStarted) ─▶ router
      └─ pcm_frame (AudioFrame) ─▶ denoise, vad
    """
    lines = [f"{graph.name}: {_count(len(graph.nodes), 'node')}, {_count(len(graph.edges), 'edge')}"]
    names = max((len(node.name) for node in graph.nodes), default=0)
    for node in in_flow_order(graph):
        lines += ["", f"{node.name:<{names}}  {node.addon}"]
        ports = _ports(graph, node)
        for index, (port, dests) in enumerate(ports.items()):
            branch = "└─" if index == len(ports) - 1 else "├─"
            lines.append(f"  {branch} {port} ({node.ports[port].__name__}) ─▶ {', '.join(dests)}")
    return "\n".join(lines)


def mermaid(graph: Graph) -> str:
    """A flow chart with one arrow from a node to another, which names the ports it stands for."""
    nodes = in_flow_order(graph)
    ids = {node.name: f"n{index}" for index, node in enumerate(nodes)}
    lines = ["flowchart LR"]
    lines += [f'    {ids[node.name]}["{_quote(node.name)}<br/>{_quote(node.addon)}"]' for node in nodes]
    arrows: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        for port, dests in _ports(graph, node).items():
            for dest in dests:
                arrows.setdefault((node.name, dest), []).append(port)
    for (source, dest), ports in arrows.items():
        lines.append(f'    {ids[source]} -- "{_quote(", ".join(ports))}" --> {ids[dest]}')
    return "\n".join(lines)


def in_flow_order(graph: Graph) -> list[Node]:
    """Each node after those that send to it, as far as loops allow, beginning with the file's first node.

    Depth-first search in reverse postorder, with a stack of its own: a chain may be of any length.
    """
    nodes = {node.name: node for node in graph.nodes}
    dests: dict[str, list[str]] = {name: [] for name in nodes}
    for edge in graph.edges:
        dests[edge.source].append(edge.dest)
    ordered: list[str] = []
    met: set[str] = set()
    for start in nodes:
        if start in met:
            continue
        met.add(start)
        finished: list[str] = []
        path = [(start, reversed(dests[start]))]
        while path:
            _, rest = path[-1]
            dest = next((dest for dest in rest if dest not in met), None)
            if dest is None:
                finished.append(path.pop()[0])
            else:
                met.add(dest)
                path.append((dest, reversed(dests[dest])))
        ordered += reversed(finished)
    return [nodes[name] for name in ordered]


def _ports(graph: Graph, node: Node) -> dict[str, list[str]]:
    ports: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.source == node.name:
            ports.setdefault(edge.port, []).append(edge.dest)
    return ports


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _quote(label: str) -> str:
    """Mermaid writes special characters as entities with a number sign in front."""
    return "".join(char if char.isalnum() or char in " _.,-" else f"#{ord(char)};" for char in label)
