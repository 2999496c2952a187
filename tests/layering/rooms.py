# SPDX-License-Identifier: Apache-2.0
"""Circles between the files of a folder, and names that mean two things."""
import os

from names import TYPE


def node(path):
    """A source and its header are one."""
    return os.path.splitext(path)[0]


def arrows(tree, needs):
    """{node: {node: names}} within each folder; needs(path) gives (file, name) of what a file needs of others."""
    result = {}
    for path in tree.files:
        for other, name in needs(path):
            a, b = node(path), node(other)
            if a != b and os.path.dirname(a) == os.path.dirname(b):
                result.setdefault(a, {}).setdefault(b, set()).add(name)
    return result


def components(graph):
    """Tarjan's strongly connected components of more than one node, sorted."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in graph.get(v, ()):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            at = stack.index(v)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for v in sorted(graph):
        if v not in index:
            visit(v)
    return sorted(found)


def circles(tree):
    """[(nodes, [(from, to, names)])]: files that use each other's functions and variables, and headers that include
    each other."""
    def included(path):
        return [(other, "#include") for other in tree.includes[path]
                if tree.files[path].header and tree.files[other].header]

    found = []
    for graph in (arrows(tree, tree.uses), arrows(tree, included)):
        found += [(nodes, [(a, b, sorted(graph[a][b])) for a in nodes for b in nodes if b in graph.get(a, ())])
                  for nodes in components(graph)]
    return found


def same_interface(tree, name, paths):
    """The files give one type's body, or one set of functions, each for itself: the type is opaque in a header that
    all of them include, or they are alternatives, of which a program includes one (they share a guard)."""
    files = [tree.files[path] for path in paths]
    if files[0].guard and all(file.guard == files[0].guard for file in files):
        return True
    if any(file.defines[name] != TYPE for file in files):
        return False
    return any(name in tree.files[seen].opaque
               for seen in set.intersection(*(tree.visible[path] for path in paths)))


def twins(tree, outside=()):
    """[(name, paths)]: types of one name anywhere, and functions, variables, constants and macros that more than one
    file offers to others. `outside` are folders (tests) of which only types count, against those that a header
    of the rest offers."""
    places, test_types = {}, {}
    for path, source in tree.files.items():
        for name, kind in source.defines.items():
            if path.startswith(outside):
                if kind == TYPE:
                    test_types.setdefault(name, []).append(path)
            elif kind == TYPE or name in source.shared and name != "main":
                places.setdefault(name, []).append(path)
    found = []
    for name, paths in sorted(places.items()):
        if any(name in tree.files[path].shared for path in paths):
            paths = paths + test_types.get(name, [])
        if len(paths) > 1 and not same_interface(tree, name, paths):
            found.append((name, sorted(paths)))
    return found
