"""The commands, one file each; `googlenet.cli` puts them together."""
