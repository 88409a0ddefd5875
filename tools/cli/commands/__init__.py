"""One module per command. `tools.cli.main` lists them and imports the one that is asked for."""
