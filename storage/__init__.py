"""TAMS without HTTP: the rules of the catalogue, the tables they are kept in, and the stores of media."""
