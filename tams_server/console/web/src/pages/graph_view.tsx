// A graph of sources and flows as SVG, from left to right. Loaded when it is shown, with the library that lays it out.
import { graphlib, layout } from "@dagrejs/dagre";
import { useMemo } from "preact/hooks";
import { href } from "../router";
import { formatName } from "../ui/text";
import type { CollectionGraph, GraphNode } from "./collection_graph";

const WIDTH = { source: 216, flow: 216, more: 110 };
const HEIGHT = { source: 46, flow: 40, more: 26 };
const LABEL_LENGTH = 28; // characters that fit, about; the rest is cut off

interface Placed {
  node: GraphNode;
  x: number;
  y: number;
}

interface Line {
  key: string;
  path: string;
  role: string;
  x: number;
  y: number;
}

export function GraphView({ graph, current }: { graph: CollectionGraph; current: string }) {
  const { nodes, lines, width, height } = useMemo(() => place(graph), [graph]);
  return (
    <div class="graph" tabIndex={0} role="group" aria-label="Collections and flows">
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
        {lines.map(({ key, path }) => <path key={key} class="graph-line" d={path} />)}
        {lines.map(({ key, role, x, y }) => role && <text key={key} class="graph-role" x={x} y={y - 5}>{role}</text>)}
        {nodes.map(({ node, x, y }) => (
          <Node key={node.id} node={node} x={x} y={y} current={node.id === current} />
        ))}
      </svg>
    </div>
  );
}

function Node({ node, x, y, current }: Placed & { current: boolean }) {
  const [width, height] = [WIDTH[node.kind], HEIGHT[node.kind]];
  const format = formatName(node.format);
  const classes = `graph-node graph-${node.kind} format-${format}${current ? " current" : ""}`;
  return (
    <g transform={`translate(${x - width / 2} ${y - height / 2})`}>
      <a
        href={href(node.path)}
        class={classes}
        aria-label={[shortened(node.label), node.detail && `${format} · ${node.detail}`].filter(Boolean).join(" ")}
        aria-current={current ? "true" : undefined}
      >
        <rect width={width} height={height} rx="6" />
        {node.kind !== "more" && <rect class="graph-mark" x="0" y="0" width="4" height={height} rx="2" />}
        <svg width={width - 6} height={height}>
          <text x={node.kind === "more" ? 12 : 14} y={node.kind === "more" ? 17 : height / 2 - 3}>{shortened(node.label)}</text>{" "}
          {node.detail && <text class="graph-detail" x="14" y={height / 2 + 12}>{`${format} · ${node.detail}`}</text>}
        </svg>
      </a>
    </g>
  );
}

function shortened(label: string): string {
  return label.length > LABEL_LENGTH ? `${label.slice(0, LABEL_LENGTH - 1)}…` : label;
}

function place({ nodes, edges }: CollectionGraph): { nodes: Placed[]; lines: Line[]; width: number; height: number } {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 12, ranksep: 84, marginx: 16, marginy: 16 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) graph.setNode(node.id, { width: WIDTH[node.kind], height: HEIGHT[node.kind] });
  for (const { from, to } of edges) graph.setEdge(from, to);
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const placed = nodes.map((node) => {
    const { x, y } = graph.node(node.id) as { x: number; y: number };
    return { node, x, y };
  });
  const at = new Map(placed.map((each) => [each.node.id, each]));
  const lines = edges.flatMap(({ from, to, role }): Line[] => {
    const [start, end] = [at.get(from), at.get(to)];
    if (!start || !end) return [];
    const x1 = start.x + WIDTH[start.node.kind] / 2;
    const x2 = end.x - WIDTH[end.node.kind] / 2;
    const middle = (x1 + x2) / 2;
    const path = `M${x1} ${start.y} C${middle} ${start.y} ${middle} ${end.y} ${x2} ${end.y}`;
    return [{ key: `${from} ${to}`, path, role, x: x2 - 8, y: end.y }];
  });
  return { nodes: placed, lines, width, height };
}
