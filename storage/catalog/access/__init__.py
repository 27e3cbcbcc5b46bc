"""Who may do what with which resource, by the classes of the resource and the groups of the caller (AUTHZ-*).

One place decides: `storage.catalog.access_rules` says which permissions groups have on classes. `caller.Caller` turns
that into conditions of queries, `checks` into errors. Nothing is filtered after a query.
"""
