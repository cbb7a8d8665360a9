"""The drawings of a graph: in the terminal, and for documents."""

from pathlib import Path

import pytest

from tests.unit.graph_parts import Choosy, Sink, Source
from voice_agent import drawing
from voice_agent.graph import Edge, Graph, Node


@pytest.fixture
def graph() -> Graph:
    nodes = (
        Node("speaker", "test.source", Source, {}),
        Node("alone", "test.choosy", Choosy, {"voice": "x"}),
        Node('last "one"', "test.sink", Sink, {}),
        Node("ear", "test.sink", Sink, {}),
    )
    edges = [
        Edge("speaker", "pcm_frame", "ear"),
        Edge("speaker", "pcm_frame", 'last "one"'),
        Edge("speaker", "failed", "ear"),
        Edge("ear", "failed", 'last "one"'),
    ]
    return Graph("small", Path("small.json"), nodes, edges)


def test_text(graph: Graph) -> None:
    assert drawing.text(graph).splitlines() == [
        "small: 4 nodes, 4 edges",
        "",
        "speaker     test.source",
        '  ├─ pcm_frame (AudioFrame) ─▶ ear, last "one"',
        "  └─ failed (Failed) ─▶ ear",
        "",
        "ear         test.sink",
        '  └─ failed (Failed) ─▶ last "one"',
        "",
        'last "one"  test.sink',
        "",
        "alone       test.choosy",
    ]


def test_mermaid(graph: Graph) -> None:
    assert drawing.mermaid(graph).splitlines() == [
        "flowchart LR",
        '    n0["speaker<br/>test.source"]',
        '    n1["ear<br/>test.sink"]',
        '    n2["last #34;one#34;<br/>test.sink"]',
        '    n3["alone<br/>test.choosy"]',
        '    n0 -- "pcm_frame, failed" --> n1',
        '    n0 -- "pcm_frame" --> n2',
        '    n1 -- "failed" --> n2',
    ]


def test_a_loop_is_drawn_once() -> None:
    nodes = (Node("a", "test.source", Source, {}), Node("b", "test.sink", Sink, {}))
    edges = [Edge("a", "failed", "b"), Edge("b", "failed", "a")]
    assert [node.name for node in drawing.in_flow_order(Graph("loop", Path(), nodes, edges))] == ["a", "b"]


def test_a_node_comes_after_those_that_send_to_it() -> None:
    nodes = tuple(Node(name, "test.sink", Sink, {}) for name in "acb")
    edges = [Edge("a", "failed", "c"), Edge("a", "failed", "b"), Edge("b", "failed", "c")]
    assert "".join(node.name for node in drawing.in_flow_order(Graph("x", Path(), nodes, edges))) == "abc"
