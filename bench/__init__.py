"""The benchmark: darnerpy and its peers under the same load, in turn. Run it with `make bench`."""
