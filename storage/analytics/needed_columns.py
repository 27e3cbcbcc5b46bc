"""Which columns of a view a query may use, judged by the names in it: never too few, so others can be left out."""

from sqlglot import exp

_NAMING = (exp.Column, exp.Alias, exp.Table, exp.TableAlias)
"""Parts of a query whose names are those of something else, or are looked at by themselves."""


def needed_columns(query: exp.Expression, view: str) -> frozenset[str] | None:
    """Return the names of columns of `view` that `query` may use, in lower case; None for all of them."""
    tables = list(query.find_all(exp.Table))
    ours = {table.alias_or_name.lower() for table in tables if table.name.lower() == view}
    others = {table.alias_or_name.lower() for table in tables} | {
        node.alias.lower() for node in query.find_all(exp.Subquery, exp.CTE) if node.alias
    }
    names: set[str] = set()
    for node in query.walk():
        if _uses_without_naming(node, view, ours):
            return None
        if isinstance(node, exp.Identifier) and not isinstance(node.parent, _NAMING):
            names.add(node.name.lower())  # For example in USING.
        elif isinstance(node, exp.Column):
            qualifier = node.table.lower()
            if not qualifier or qualifier in ours:
                names.add(node.name.lower())
            elif qualifier not in others:  # A column that holds a record, and a member of it.
                names.add(qualifier)
    return frozenset(names)


def _uses_without_naming(node: exp.Expression, view: str, aliases: set[str]) -> bool:
    """Whether a part of a query may use columns of the view by `*`, by their position, or as one record."""
    if isinstance(node, exp.Star):
        return not isinstance(node.parent, exp.Count) and not _is_of_other(node.parent, aliases)
    if isinstance(node, exp.Columns | exp.Pivot):
        return True
    if isinstance(node, exp.Join):
        return bool(node.method)  # NATURAL, POSITIONAL and others
    if isinstance(node, exp.Column):
        return not node.table and node.name.lower() in aliases
    if isinstance(node, exp.Table):
        alias = node.args.get("alias")
        return node.name.lower() == view and alias is not None and bool(alias.args.get("columns"))
    return False


def _is_of_other(parent: exp.Expression | None, aliases: set[str]) -> bool:
    """Whether a `*` is that of another table, as in `other.*`."""
    return isinstance(parent, exp.Column) and bool(parent.table) and parent.table.lower() not in aliases
