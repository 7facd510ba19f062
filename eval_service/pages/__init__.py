"""Pages for reading what happened: server-rendered, with little script; Dagster's UI is where things are run."""
