"""The common part of the SQL engines: tables, conditions as clauses, compiled statements, and transactions.

SQLAlchemy Core declares the tables and compiles each form of statement once; the database driver runs it.
"""
